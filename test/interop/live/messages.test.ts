import { afterAll, afterEach, beforeEach, describe, expect } from '@jest/globals';
import type { SctpTransport } from '../../../transports/sctp/sctp.js';
import type { Listener } from '../../../transports/transport.js';
import { decodeAsap, encodeAsap, type AsapMessage, type PoolElement } from '../../../wire/index.js';
import { Lab } from '../lab/lab.js';
import { quick, registrar, server, terminal } from '../lab/rsplib.js';
import { until } from '../lab/until.js';
import { End, transport } from './ours.js';
import { readAlike } from './reading.js';
import { scenario } from './scenario.js';

const lab = Lab.current();
const [one, two, four] = [lab.guest(1), lab.guest(2), lab.guest(4)] as const;
const poolHandle = Buffer.from('OurPool1');
const ECHO_PORT = 5_001;
const generation = { generation: 1, home: 7 };

/** Messages by our codec over our SCTP, each put there by the test: how RSPLIB takes them, before there are roles of ours that could send them. */
describe('our messages with RSPLIB', () => {
  let ours: SctpTransport;
  const listeners: Listener[] = [];
  const ends: End[] = [];

  beforeEach(async () => {
    await lab.fresh(1, 2, 4);
    for (const guest of [1, 2, 4]) await lab.encapsulate(guest);
    ours = transport({ linger: 0 });
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) end.end();
    for (const listener of listeners.splice(0)) await listener.close();
  });
  afterAll(async () => lab.fresh(1, 2, 4));

  const home = async (): Promise<Asap> => {
    const job = registrar(one, ...quick);
    await job.err(/Registrar started/); // it serves pool elements before it has looked for peers
    const end = End.connect(ours, `sctp+udp://${one.address}:3863`);
    ends.push(end);
    return new Asap(await end.connected());
  };
  const listen = async (port: number): Promise<End[]> => {
    const accepted: End[] = [];
    listeners.push(await End.listen(ours, `sctp+udp://0.0.0.0:${port}`, accepted));
    return accepted;
  };

  scenario('W1', async () => {
    const capture = await lab.capture('W1');
    const asap = await home();
    expect(await asap.ask({ type: 'ASAP_REGISTRATION', poolHandle, poolElement: element(0x77, RSPLIB_LIFE) }, 'ASAP_REGISTRATION_RESPONSE')).toMatchObject({ flags: { reject: false }, peIdentifier: 0x77 });
    await asap.take('ASAP_ENDPOINT_KEEP_ALIVE'); // `take` answers it
    await asap.take('ASAP_ENDPOINT_KEEP_ALIVE'); // so it asks again
    expect(await asap.ask(resolution, 'ASAP_HANDLE_RESOLUTION_RESPONSE')).toMatchObject({ poolElements: [{ identifier: 0x77 }] });
    expect(await asap.ask({ type: 'ASAP_REGISTRATION', poolHandle, poolElement: { ...element(0x77, RSPLIB_LIFE), generation: { ...generation, generation: 2 } } }, 'ASAP_REGISTRATION_RESPONSE'))
      .toMatchObject({ flags: { reject: false } });
    await asap.ask({ type: 'ASAP_DEREGISTRATION', poolHandle, peIdentifier: 0x77 }, 'ASAP_DEREGISTRATION_RESPONSE');
    expect(await asap.ask(resolution, 'ASAP_HANDLE_RESOLUTION_RESPONSE')).toMatchObject({ error: [{ cause: 'unknown-pool-handle' }] });
    await capture.stop();
    await readAlike(capture);
  });

  scenario('W2', async () => {
    const asap = await home();
    await asap.ask({ type: 'ASAP_REGISTRATION', poolHandle, poolElement: element(0x78, 30) }, 'ASAP_REGISTRATION_RESPONSE');
    for (let count = 0; count < 3; count += 1) await asap.take('ASAP_ENDPOINT_KEEP_ALIVE');
    expect(await asap.ask(resolution, 'ASAP_HANDLE_RESOLUTION_RESPONSE')).toMatchObject({ poolElements: [{ identifier: 0x78 }] });
  });

  scenario('W3', async () => {
    const accepted = await listen(3863);
    const job = server(two, 'echo', { pool: 'TheirPool', registrar: lab.address }, 0x99);
    await until(() => accepted.length > 0, 'rspserver has connected to us');
    const asap = new Asap(accepted[0]!);
    const { poolHandle: theirs, poolElement } = await asap.take('ASAP_REGISTRATION');
    expect(Buffer.from(theirs).toString()).toBe('TheirPool');
    expect(poolElement).toMatchObject({ identifier: 0x99, userTransport: { transport: 'sctp', use: 'data-and-control', addresses: [two.address] } });
    asap.send({ type: 'ASAP_REGISTRATION_RESPONSE', flags: { reject: false }, poolHandle: theirs, peIdentifier: 0x99 });
    const alive = await asap.ask({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: true }, serverIdentifier: 0x51, poolHandle: theirs, peIdentifier: 0x99 }, 'ASAP_ENDPOINT_KEEP_ALIVE_ACK');
    expect(alive.peIdentifier).toBe(0x99);
    expect((await asap.ask({ type: 'ASAP_ENDPOINT_KEEP_ALIVE', flags: { home: false }, serverIdentifier: 0x51, poolHandle: theirs }, 'ASAP_ENDPOINT_KEEP_ALIVE_ACK')).peIdentifier).toBe(0x99); // as the RFC has it
    const ended = two.stop(job);
    const { peIdentifier } = await asap.take('ASAP_DEREGISTRATION');
    asap.send({ type: 'ASAP_DEREGISTRATION_RESPONSE', poolHandle: theirs, peIdentifier });
    await ended;
    expect(peIdentifier).toBe(0x99);
  });

  scenario('M2', async () => {
    const asap = await home();
    await asap.ask({ type: 'ASAP_REGISTRATION', poolHandle, poolElement: element(0x79, RSPLIB_LIFE) }, 'ASAP_REGISTRATION_RESPONSE');
    const answers: string[] = [];
    for (const type of [0x0123, 0x4123, 0x8123, 0xc123]) {
      const question = encodeAsap({ type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: false }, poolHandle, unrecognized: [{ type: 0x8123, value: Buffer.from('cafebabe', 'hex') }] });
      question.writeUInt16BE(type, question.length - 8); // which our codec does not do
      asap.sendBytes(question);
      asap.send({ type: 'ASAP_DEREGISTRATION', poolHandle: Buffer.from('Nobody'), peIdentifier: 1 }); // is answered in any case
      answers.push(await asap.until('ASAP_DEREGISTRATION_RESPONSE'));
    }
    expect(answers).toEqual(['', 'ASAP_ERROR unrecognized-parameter', 'ASAP_HANDLE_RESOLUTION_RESPONSE', 'ASAP_HANDLE_RESOLUTION_RESPONSE']); // the last is not reported, as RFC 5354 §4 would have it
  });

  scenario('W4', async () => {
    const accepted = await listen(ECHO_PORT);
    const asap = await home();
    await asap.ask({ type: 'ASAP_REGISTRATION', poolHandle, poolElement: element(0x77, RSPLIB_LIFE) }, 'ASAP_REGISTRATION_RESPONSE');
    const user = terminal(four, { pool: 'OurPool1', registrar: one.address });
    user.say('hello');
    await until(() => accepted.length > 0, 'rspterminal has connected to us');
    const { bytes, ppid, stream } = await accepted[0]!.next();
    expect(Buffer.from(bytes).toString().trim()).toBe('hello');
    accepted[0]!.link.send(bytes, { ppid, stream });
    await user.out(/from PE \$00000077> hello/);
  });
});

/** What RSPLIB registers: milliseconds, where the RFC has seconds. */
const RSPLIB_LIFE = 90_000;
const resolution = { type: 'ASAP_HANDLE_RESOLUTION', flags: { sendUpdates: true }, poolHandle, itemsWanted: 0xffff_ffff } as const;

/** With all parameters of ours. */
const element = (identifier: number, registrationLife: number): PoolElement => ({
  identifier, homeRegistrar: 0, registrationLife, policy: { policy: 'round-robin' },
  userTransport: { transport: 'sctp', port: ECHO_PORT, use: 'data-and-control', addresses: [lab.address] },
  generation, capabilities: Uint8Array.of(1, 2, 3, 4), tie: Uint8Array.of(5, 6, 7, 8),
});

type Named<Type extends AsapMessage['type']> = Extract<AsapMessage, { readonly type: Type }>;
const isNamed = <Type extends AsapMessage['type']>(message: AsapMessage, type: Type): message is Named<Type> => message.type === type;

/** ASAP on one association. Keep-alives are acknowledged. */
class Asap {
  constructor(private readonly end: End) {}

  send(message: AsapMessage): void { this.sendBytes(encodeAsap(message)); }
  sendBytes(bytes: Buffer): void { this.end.link.send(bytes); }

  async ask<Type extends AsapMessage['type']>(message: AsapMessage, answer: Type): Promise<Named<Type>> {
    this.send(message);
    return this.take(answer);
  }

  /** What comes before a message of that type. */
  async until(type: string): Promise<string> {
    const before: string[] = [];
    for (;;) {
      const { message } = decodeAsap(Buffer.from((await this.end.next()).bytes));
      if (message.type === type) return before.join();
      if (message.type === 'ASAP_ENDPOINT_KEEP_ALIVE') continue;
      before.push(message.type === 'ASAP_ERROR' ? `ASAP_ERROR ${message.error.map(({ cause }) => cause).join()}` : message.type);
    }
  }

  async take<Type extends AsapMessage['type']>(type: Type): Promise<Named<Type>> {
    for (;;) {
      const { message } = decodeAsap(Buffer.from((await this.end.next()).bytes));
      if (message.type === 'ASAP_ENDPOINT_KEEP_ALIVE') this.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle: message.poolHandle, peIdentifier: message.peIdentifier ?? 0 });
      if (isNamed(message, type)) return message;
    }
  }
}
