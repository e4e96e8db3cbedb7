import { mappingUnderTest } from '../support/session-world.js';

/** What sessions promise holds over the SCTP mapping (draft §5.1) as it does over TCP: the same suites, on simulated datagrams below the real SCTP. */

/** Tests that look at TCP itself: the frames in its streams, its sockets, who is refused at once because nobody listens (of a host without SCTP nothing is heard), and how many bytes
 *  go out in the first round trips (SCTP begins slowly, RFC 9260 §7.2.1). */
const ofTcp: ReadonlySet<string> = new Set([
  '64 sessions over one link, every delivery mode, nothing mixed',
  'D-13, X-6: OPEN with the epoch, cookie echo, the restored state, the replay in order, then the new',
  'X-6: immediately after the new connection; the cookie goes before it, nothing is resent before it',
  'D-14: only the link broke, and the pool element is the same: its running handler is awaited first',
  'D-16: two pool elements die in a row, the second while it restores',
  'every pool element is gone: a typed error with the causes, after the bound',
  'the final error tells of every attempt: which element, when, why',
  '1000 sessions move with their state, nobody is reported, and the pause of each is some round trips',
  'a pool of a hundred dead elements is not run through without a pause',
]);

const { it: each } = globalThis;
globalThis.it = Object.assign(((title: string, ...rest: [jest.ProvidesCallback, number?]) => { if (!ofTcp.has(title)) each(title, ...rest); }) as jest.It, each);
mappingUnderTest.scheme = 'sctp+udp';
for (const suite of ['delivery', 'requests', 'cookies', 'failover', 'faults', 'spreading', 'bad-input']) await import(`./session-${suite}.test.js`);
for (const suite of ['failover-callback', 'drain', 'thaw', 'file-transfer']) await import(`./${suite}.test.js`);
