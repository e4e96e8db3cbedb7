import { afterAll, afterEach, beforeEach, describe, expect } from '@jest/globals';
import { initialize, type ServiceAccessPoint } from '../../../actors/access-point.js';
import { Lab } from '../lab/lab.js';
import { hsdump, quick, registrar } from '../lab/rsplib.js';
import { until } from '../lab/until.js';
import { readAlike } from './reading.js';
import { hasElements, ourRegistrar } from './roles.js';
import { scenario } from './scenario.js';

const lab = Lab.current();
const [one, two, four] = [lab.guest(1), lab.guest(2), lab.guest(4)] as const;
const listen = [`sctp+udp://${lab.address}:0`];
const multicast = { interface: lab.address };

describe('our pool element with RSPLIB\'s registrar; announcements', () => {
  const open: ServiceAccessPoint[] = [];

  beforeEach(async () => {
    await lab.fresh(1, 2, 4);
    for (const guest of [1, 2, 4]) await lab.encapsulate(guest);
  });
  afterEach(async () => { for (const each of open.splice(0)) await each.close({ signal: AbortSignal.timeout(1_000) }).catch(() => undefined); });
  afterAll(async () => lab.fresh(1, 2, 4));

  scenario('E1', async () => {
    const home = registrar(one, ...quick);
    await home.err(/Registrar started/);
    const capture = await lab.capture('E1');
    const accessPoint = await initialize({ registrars: [`sctp+udp://${one.address}:3863`] });
    open.push(accessPoint);
    const element = await accessPoint.register('OurPool1', { identifier: 0x77, listen, life: 6_000 }, () => undefined);
    await home.err(/Successfully registered OurPool1/);
    await capture.has({ ASAP_ENDPOINT_KEEP_ALIVE_ACK: 2, ASAP_REGISTRATION_RESPONSE: 2 });
    expect(await hsdump(four, one.address)).toMatch(new RegExp(`\\$00000077 [^*]*userT: \\{${lab.address}\\} \\d+/SCTP`));
    await element.deregister();
    await capture.stop();
    expect(await readAlike(capture)).toMatchObject({ ASAP_DEREGISTRATION: 1, ASAP_DEREGISTRATION_RESPONSE: 1 });
    expect(await hsdump(four, one.address)).not.toContain('$00000077');
  });

  scenario('M1', async () => {
    const ours = await ourRegistrar({ multicast });
    two.start('exec stdbuf -oL rspserver -echo -poolhandle=EchoPool -identifier=0x11 -loglevel=3 -logcolor=off');
    await hasElements(ours, 'EchoPool', 0x11);
    const user = four.start('exec stdbuf -oL rspterminal -poolhandle=EchoPool -loglevel=3 -logcolor=off');
    user.say('hello');
    await user.out(/from PE \$00000011> hello/);
    await Promise.all([two.rest(), four.rest()]);
    await ours.close();

    const theirs = registrar(one, ...quick);
    await theirs.err(/Starting to send ASAP announcements/);
    const accessPoint = await initialize({ registrars: [], multicast });
    open.push(accessPoint);
    const element = await accessPoint.register('OurPool1', { identifier: 0x77, listen }, () => undefined);
    await theirs.err(/Successfully registered OurPool1/);
    await until(() => accessPoint.registrar?.address === `sctp+udp://${one.address}:3863`, 'our element has it for its home');
    await element.deregister();
  });
});
