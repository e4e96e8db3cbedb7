import type { ServiceSession } from '../../actors/service-session.js';
import { RegistrarWorld } from '../support/registrar-world.js';

/** The SCTP mapping (draft §5.1, id 0x01) between our own ends, with a real registrar; what sessions promise is in over-sctp.test.ts. */

const echo = (session: ServiceSession): void => { session.on('data', (data, info) => { void info.reply(data.toString().toUpperCase()); }); };
const counter = (session: ServiceSession): void => {
  let count = 0;
  session.on('cookie', (cookie) => { count = Number(cookie.toString()); });
  session.on('data', (_, info) => {
    session.setCookie(String(++count));
    void info.reply(String(count));
  });
};

async function running(service = echo) {
  const setting = await RegistrarWorld.start();
  const { world } = setting;
  const register = async (name: string, identifier: number, listen = ['sctp+udp://0.0.0.0:0']) => {
    const point = await setting.accessPoint(name);
    const element = await world.settled(point.register('pool', { listen, ...(listen.length === 1 && { identifier }) }, service));
    return { point, element };
  };
  return { setting, world, register, user: await setting.accessPoint('pu') };
}

describe('the SCTP mapping', () => {
  it('a session over SCTP: found by the pool handle, and it knows RTT, RTO and path MTU', async () => {
    const { world, register, user } = await running();
    const { element } = await register('pe1', 1);
    expect(element.address).toMatch(new RegExp(`^sctp\\+udp://${world.host('pe1').address}:\\d+$`));
    const session = await world.settled(user.connect('pool'));
    expect((await world.settled(session.request('hello'))).data.toString()).toBe('HELLO');
    const { mapping, rtt, rto, pathMtu } = session.transportInfo();
    expect({ mapping, pathMtu }).toEqual({ mapping: 'sctp', pathMtu: 1500 });
    expect(rtt).toBeGreaterThan(1);
    expect(rto).toBeGreaterThanOrEqual(rtt!);
    expect(await world.settled(user.getPrimaryServer('pool'))).toMatchObject({ mapping: 'sctp', address: element.address, protocol: 'sctp+udp' });
    await world.settled(session.close());
  });

  it('rsp.send to the address of an element', async () => {
    const { world, register, user } = await running();
    const { element } = await register('pe1', 1);
    const answers: string[] = [];
    user.on('data', (data) => { answers.push(data.toString()); });
    await world.settled(user.send(element.address, 'hello'));
    await world.until(() => answers.length > 0);
    expect(answers).toEqual(['HELLO']);
  });

  it('D-28: an element that is gone without a word is left after half a second, with all it had taken', async () => {
    const { world, register, user } = await running(counter);
    for (const identifier of [1, 2]) await register(`pe${identifier}`, identifier);
    const session = await world.settled(user.connect('pool'));
    const replies: string[] = [];
    session.on('data', (data) => { replies.push(data.toString()); });
    for (let index = 0; index < 5; index += 1) await world.settled(session.send('x'));
    await world.settled(session.flush());
    world.host(`pe${session.peIdentifier}`).process.crash({ peersSee: 'nothing' });
    const first = session.peIdentifier;
    void session.send('y');
    const took = await world.until(() => replies.length === 6);
    expect(took).toBeLessThan(600);
    expect([session.peIdentifier === first, replies]).toEqual([false, ['1', '2', '3', '4', '5', '6']]);
  });

  it('X-3: an element with both mappings; where SCTP does not come through, TCP does', async () => {
    const { world, register, user } = await running();
    const { element } = await register('pe1', 1, ['sctp+udp://0.0.0.0:0', 'tcp://0.0.0.0:0']);
    expect(element.registrations.map(({ address }) => address.slice(0, address.indexOf(':')))).toEqual(['sctp+udp', 'tcp']);
    world.host('pe1').process.datagramSockets.clear(); // a firewall
    const session = await world.settled(user.connect('pool'));
    expect((await world.settled(session.request('hello'))).data.toString()).toBe('HELLO');
    expect(session.transportInfo().mapping).toBe('tcp');
  });

  it.each([
    ['no address of the mapping', { mapping: 'sctp', listen: ['tcp://0.0.0.0:0'] }], ['nor of the other one', { mapping: 'tcp', listen: ['sctp+udp://0.0.0.0:0'] }],
    ['in a list', { mappings: [{ mapping: 'sctp', listen: 'tcp://0.0.0.0:0' }] }], ['advertised', { listen: ['sctp+udp://0.0.0.0:0'], advertise: 'tcp://1.2.3.4:5' }],
  ] as const)('%s: INVALID_OPTION', async (_, options) => {
    const { user } = await running();
    await expect(user.register('pool', options, echo)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });

  it("a payload protocol id of ASAP's own is refused", async () => {
    const { world, register, user } = await running();
    await register('pe1', 1);
    const session = await world.settled(user.connect('pool'));
    session.on('error', () => undefined);
    await expect(session.send('x', { ppid: 11 })).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  });
});
