import { afterAll, beforeEach, describe, expect } from '@jest/globals';
import { Lab } from '../lab/lab.js';
import { hsdump, quick, registrar, server, terminal } from '../lab/rsplib.js';
import { until } from '../lab/until.js';
import { readAlike } from './reading.js';
import { scenario } from './scenario.js';

const lab = Lab.current();
const [one, two, three, four] = [lab.guest(1), lab.guest(2), lab.guest(3), lab.guest(4)] as const;
const echo = { pool: 'EchoPool', registrar: one.address };

describe('RSPLIB with itself', () => {
  beforeEach(async () => lab.fresh(1, 2, 3, 4));
  afterAll(async () => lab.fresh(1, 2, 3, 4));

  scenario('A1', async () => {
    const capture = await lab.capture('A1');
    const home = registrar(one, ...quick);
    await home.err(/Registrar started/);
    const elements = [server(two, 'echo', echo, 0x11), server(three, 'echo', echo, 0x22)];
    for (const _ of elements) await home.err(/Successfully registered EchoPool/);
    await home.err(/The registrar is ready/);

    const user = terminal(four, echo);
    for (const line of ['first', 'second']) {
      user.say(line);
      await user.out(new RegExp(`from PE \\$000000(11|22)> ${line}`));
    }
    const lost = terminal(four, { ...echo, pool: 'Nobody' });
    await home.err(/pool Nobody failed: object not found/);
    await capture.has({ ASAP_ENDPOINT_KEEP_ALIVE_ACK: 2, ASAP_SERVER_ANNOUNCE: 1, ENRP_PRESENCE: 1 });
    await Promise.all([four.stop(user), four.stop(lost), two.stop(elements[0]!), three.stop(elements[1]!)]);
    await one.stop(home);
    await capture.stop();

    expect(await readAlike(capture)).toMatchObject({
      ASAP_REGISTRATION: 2, ASAP_REGISTRATION_RESPONSE: 2, ASAP_DEREGISTRATION: 2, ASAP_DEREGISTRATION_RESPONSE: 2,
    });
  });

  scenario('A4', async () => {
    const first = registrar(one, ...quick);
    await first.err(/Registrar started/);
    server(two, 'echo', echo, 0x11);
    await first.err(/Successfully registered EchoPool/);

    const capture = await lab.capture('A4');
    const second = registrar(four, ...quick);
    await second.err(/after obtaining handlespace from mentor server/);
    server(three, 'echo', { pool: 'LaterPool', registrar: four.address }, 0x22);
    await second.err(/Successfully registered LaterPool/);
    await capture.has({ ENRP_HANDLE_UPDATE: 1 });
    expect(await hsdump(three, one.address)).toContain('Pool "LaterPool"');
    expect(await hsdump(three, four.address)).toContain('Pool "EchoPool"');
    await capture.stop();

    expect(Object.keys(await readAlike(capture))).toEqual(expect.arrayContaining([
      'ENRP_PRESENCE', 'ENRP_LIST_REQUEST', 'ENRP_LIST_RESPONSE', 'ENRP_HANDLE_TABLE_REQUEST', 'ENRP_HANDLE_TABLE_RESPONSE', 'ENRP_HANDLE_UPDATE',
    ]));
  });

  scenario('A5', async () => {
    const first = registrar(one, ...quick);
    await first.err(/Registrar started/);
    server(two, 'echo', echo, 0x11);
    await first.err(/Successfully registered EchoPool/);
    const others = [registrar(three, ...quick), registrar(four, ...quick)];
    for (const other of others) await other.err(/The registrar is ready/);

    const capture = await lab.capture('A5');
    await lab.drop(1); // its process too: announcements and presences by UDP would tell that it lives
    await one.stop(first, 'KILL');
    await capture.has({ ENRP_INIT_TAKEOVER: 1, ENRP_INIT_TAKEOVER_ACK: 1, ASAP_ENDPOINT_KEEP_ALIVE_ACK: 1 });
    let homes: readonly string[] = [];
    await until(async () => { // either may begin it, and they agree in the end
      homes = (await Promise.all([three, four].map(async (guest) => hsdump(two, guest.address)))).flatMap((dump) => [.../\$00000011 .*\n.*home=(\$\w+)/.exec(dump) ?? []].slice(1));
      return homes.length === 2 && homes[0] === homes[1];
    }, 'both know the same home');
    await capture.stop();

    const [, dead = ''] = /Server ID:\s+(\$\w+)/.exec(first.lines.join('\n')) ?? [];
    expect(homes[0]).not.toBe(dead);
    expect(await readAlike(capture)).not.toHaveProperty('ENRP_TAKEOVER_SERVER'); // it is never sent, test/interop/pcaps/README.md
  });
});
