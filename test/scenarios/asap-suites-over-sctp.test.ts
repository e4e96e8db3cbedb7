import { tellPeers } from '../../testing/links.js';
import { World, type WorldHost } from '../../testing/world.js';
import { asapUnderTest } from '../support/registrar-world.js';

/** What elements, users and registrars do by ASAP they do over SCTP as over TCP: the same suites, on simulated datagrams below the real SCTP. */

/** Tests of what is different. */
const ofTcp: ReadonlySet<string> = new Set([
  // looks at TCP itself: sockets, their bytes, the transport that is registered
  'R2, X-1: registers its address as others see it, its ASAP listener, and that it speaks the TCP mapping',
  'rule 4, X-37: one that does not say where it listens for ASAP goes out with the address it registered from',
  'register waits for a bounded time, rejects with NoRegistrarError, and works when a registrar has come',
  'SH1: never has more than three associations',
  'the straight way and the general one give the same bytes: %j',
  'when the element registers anew, over an association of its own, that one counts; the probe is let go',
  // SCTP itself hears nothing of a process that stands still, after 0.5 s and at both ends; ASAP's own questions, of a few seconds, come too late to be seen
  'D-29: a PE that was frozen for a minute asks its home before it doubts it',
  'with rfc timers the same takes as long as the RFC has it',
  'KA2.4: H=1 at its own ASAP listener: the sender is home, and the registration stands',
  'elements of one process are one witness: a hundred that die with it are removed within the bound, without a second question',
  // nobody refuses at once: of a host without SCTP nothing is heard; and every element that came by SCTP can be asked at its port
  'is out of its pool at once: its system sees to the association (%s), and refuses the probe',
  'with it go all elements of its process, by one probe',
  'where it has no ASAP listener it has the time-out to come back, and not more',
  // 64 KiB in the first round trips: SCTP begins slowly (RFC 9260 §7.2.1)
  'X-17: page by page (0x8f08), by identifier: all of them, whoever comes or goes meanwhile, and nobody\'s turn is changed by it',
  'X-17: never more than 64 KiB, whatever is asked for, and all that fit',
]);

const { it: each } = globalThis;
const kept = ((title: string, ...rest: [jest.ProvidesCallback, number?]) => { if (!ofTcp.has(title)) each(title, ...rest); }) as jest.It;
const keptEach = ((table: readonly unknown[]) => (title: string, ...rest: [(...given: unknown[]) => unknown, number?]) => { if (!ofTcp.has(title)) each.each(table)(title, ...rest); }) as unknown as jest.Each;
globalThis.it = Object.assign(kept, each, { each: keptEach });

const told = new WeakSet<WorldHost>();
const host = Object.getOwnPropertyDescriptor(World.prototype, 'host')?.value as (this: World, name: string) => WorldHost;
World.prototype.host = function (name) {
  const found = host.call(this, name);
  if (!told.has(found)) tellPeers(found);
  told.add(found);
  return found;
};

asapUnderTest.scheme = 'sctp+udp';
for (const suite of ['registration', 'registrar-registration', 'resolution', 'registrar-resolution', 'registrar-evidence', 'current-caches']) await import(`./${suite}.test.js`);
