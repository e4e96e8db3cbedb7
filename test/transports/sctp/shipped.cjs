'use strict';
// npm `sctp` 1.0.0 as it is: two endpoints in this process, joined by a function call instead of a network. One case a process: some end it, some hang it.
// Answers over IPC: 'ok', or what was seen instead.
const sctp = require('sctp');
const Endpoint = require('sctp/lib/endpoint');
const Packet = require('sctp/lib/packet');
const SerialNumber = require('sctp/lib/serial');

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ALL = () => true;

function pair({ settings = {}, fromClient = ALL, fromServer = ALL, a_rwnd = 1 << 20 } = {}) {
  sctp.defaults({ rto_initial: 100, rto_min: 100, rto_max: 200, ...settings });
  const longest = { value: 0 };
  const ends = {};
  const transport = (other, filter) => ({
    sendPacket(_src, _dst, packet, sent) {
      const bytes = packet.toBuffer();
      longest.value = Math.max(longest.value, bytes.length);
      if (filter(bytes)) setImmediate(() => { ends[other].emit('packet', Packet.fromBuffer(bytes), '127.0.0.1'); });
      if (sent) setImmediate(sent);
    },
    unallocate() {},
  });
  const endpoint = (localPort, other, filter) => Object.assign(new Endpoint({ localPort, OS: 8, MIS: 8, a_rwnd }), { transport: transport(other, filter) });
  ends.client = endpoint(6000, 'server', (bytes) => fromClient(bytes));
  ends.server = endpoint(7, 'client', (bytes) => fromServer(bytes));
  const all = { ...ends, longest, got: [], events: [] };
  ends.server.on('association', (association) => {
    all.theirs = association;
    association.on('DATA ARRIVE', () => { all.got.push(association.RECEIVE()); });
  });
  all.ours = ends.client.ASSOCIATE({ remoteAddress: '127.0.0.1', remotePort: 7 });
  for (const event of ['COMMUNICATION LOST', 'SHUTDOWN COMPLETE', 'COMMUNICATION ERROR']) all.ours.on(event, () => { all.events.push(event); });
  all.up = new Promise((resolve) => { all.ours.once('COMMUNICATION UP', () => { resolve(true); }); setTimeout(resolve, 1000, false); });
  return all;
}
async function upPair(options) {
  const all = pair(options);
  await all.up;
  return all;
}
const loseFirst = (type) => { let isLost = false; return (bytes) => isLost || bytes[12] !== type || !(isLost = true); };
const SEND = (association, text, options = {}) => new Promise((resolve) => { association.SEND(Buffer.from(text), { stream_id: 0, ...options }, (error) => { resolve(error ? error.message : 'sent'); }); });
const equals = (seen, wanted) => (JSON.stringify(seen) === JSON.stringify(wanted) ? 'ok' : JSON.stringify(seen));
const texts = (all) => all.got.map(String);

const cases = {
  async packet() {
    const all = await upPair();
    process.send({ tag: all.theirs.my_tag, tsn: all.ours.my_next_tsn.number, victimTsn: all.theirs.my_next_tsn.number });
    const bytes = Buffer.from(await new Promise((resolve) => { process.once('message', resolve); }), 'hex');
    const began = Date.now();
    all.server.emit('packet', Packet.fromBuffer(bytes), '127.0.0.1');
    await wait(50);
    if (Date.now() - began > 1000) return 'hung for a while';
    void SEND(all.ours, 'still here');
    await wait(300);
    return texts(all).at(-1) === 'still here' ? 'ok' : 'no message comes any more';
  },
  async 'D1 ECHO'() { return equals(await pair({ fromClient: loseFirst(10) }).up, true); },
  async 'D1 ACK'() { return equals(await pair({ fromServer: loseFirst(11) }).up, true); },
  async D2() {
    let lose = false;
    const all = await upPair({ fromClient: (bytes) => !(lose && bytes[12] === 0) });
    lose = true;
    void SEND(all.ours, 'one');
    await wait(20);
    lose = false;
    void SEND(all.ours, 'two');
    await wait(800);
    return equals(texts(all), ['one', 'two']);
  },
  async D3() {
    const all = await upPair();
    for (const text of '01234') void SEND(all.ours, text);
    all.ours.SHUTDOWN();
    await wait(500);
    return equals(texts(all).length, 5);
  },
  async D4() {
    const all = await upPair({ fromClient: loseFirst(7) });
    all.ours.SHUTDOWN();
    await wait(1500);
    return equals(all.events, ['SHUTDOWN COMPLETE']);
  },
  async D5() {
    let isHeld = true;
    const all = await upPair({ fromServer: (bytes) => bytes[12] !== 0 || !isHeld });
    void SEND(all.theirs, 'late');
    await wait(20);
    all.ours.SHUTDOWN();
    await wait(50);
    isHeld = false;
    await wait(1500);
    return equals(all.ours.state, 'CLOSED');
  },
  async D6() {
    let isDead = false;
    const all = await upPair({ settings: { hb_interval: 100, association_max_retrans: 3 }, fromServer: () => !isDead });
    isDead = true;
    void SEND(all.ours, 'lost');
    await wait(1500);
    return equals(all.events, ['COMMUNICATION LOST']);
  },
  async D7() {
    const all = pair({ settings: { max_init_retransmits: 3 }, fromClient: () => false });
    await wait(1000);
    return equals(all.events, ['COMMUNICATION LOST']);
  },
  async D8() {
    const all = await upPair();
    const refused = [];
    for (let index = 0; index < 40; index += 1) {
      void SEND(all.ours, 'x'.repeat(1400)).then((what) => { if (what !== 'sent') refused.push(what); });
      if (index % 10 === 9) await wait(2);
    }
    await wait(1000);
    return equals([all.got.length, refused.length], [40, 0]);
  },
  async D9() {
    const all = pair();
    void SEND(all.ours, 'early');
    await all.up;
    await wait(500);
    return equals(texts(all), ['early']);
  },
  async D10() {
    const all = await upPair();
    const sent = [];
    for (const stream_id of [0, 1, 2]) void SEND(all.ours, 'x'.repeat(3000), { stream_id }).then(() => sent.push(stream_id));
    await wait(1000);
    return equals(sent.length, 3);
  },
  async D11() {
    const all = await upPair();
    const clients = [1, 2, 3, 4].map((index) => {
      const endpoint = Object.assign(new Endpoint({ localPort: 6000 + index }), { transport: all.client.transport });
      return endpoint.ASSOCIATE({ remoteAddress: '127.0.0.1', remotePort: 7 });
    });
    await wait(200);
    const { associations } = all.server;
    const before = associations.length;
    associations[1]._destroy();
    void clients;
    return equals(before - associations.length, 1);
  },
  async D16() {
    const all = await upPair();
    const what = await Promise.race([SEND(all.ours, ''), wait(300)]);
    return what === 'sent' || all.events.length > 0 ? `an empty message was ${what}` : 'ok';
  },
  async D17() { return (await Promise.race([SEND((await upPair()).ours, 'x', { stream_id: 8 }), wait(300)])) === 'sent' ? 'stream 8 of 0 to 7 was taken' : 'ok'; },
  async D19() {
    const all = await upPair();
    for (const [text, unordered] of [['o1', 0], ['u1', 1], ['o2', 0]]) {
      void SEND(all.ours, text, { unordered });
      await wait(30);
    }
    await wait(500);
    return equals(texts(all), ['o1', 'u1', 'o2']);
  },
  async loss() {
    let state = 12345;
    const chance = () => { state = (Math.imul(state, 1103515245) + 12345) >>> 0; return (state >>> 8) / 2 ** 24; };
    let isUp = false;
    const filter = () => !isUp || chance() >= 0.15;
    const all = await upPair({ fromClient: filter, fromServer: filter });
    isUp = true;
    for (let index = 0; index < 200; index += 1) await SEND(all.ours, `${index}`.padEnd(600));
    await wait(500);
    return equals(all.got.length, 200);
  },
  async rwnd() {
    const all = await upPair({ a_rwnd: 65536 });
    void SEND(all.ours, 'x'.repeat(262144));
    await wait(2000);
    return equals(all.got.length, 1);
  },
  async MTU() {
    const all = await upPair();
    for (let index = 0; index < 40; index += 1) {
      for (const size of [700, 900, 1200]) void SEND(all.ours, 'x'.repeat(size));
      await wait(10);
    }
    return all.longest.value > 1472 ? `a packet of ${all.longest.value} bytes` : 'ok';
  },
  async restart() {
    const all = await upPair();
    const endpoint = Object.assign(new Endpoint({ localPort: 6000 }), { transport: all.client.transport });
    const heard = all.client.transport;
    let isUp = false;
    all.server.transport.sendPacket = (_src, _dst, packet, sent) => {
      const bytes = packet.toBuffer();
      setImmediate(() => { endpoint.emit('packet', Packet.fromBuffer(bytes), '127.0.0.1'); });
      if (sent) setImmediate(sent);
    };
    void heard;
    endpoint.ASSOCIATE({ remoteAddress: '127.0.0.1', remotePort: 7 }).once('COMMUNICATION UP', () => { isUp = true; });
    await wait(1000);
    return equals(isUp, true);
  },
  async SN() { return equals(new SerialNumber(0).copy().prev === undefined ? 'no prev' : new SerialNumber(0).prev(), 0xffffffff); },
};

process.on('uncaughtException', (error) => { process.send({ outcome: `throws ${error.message}` }, () => { process.exit(1); }); });
cases[process.argv[2]]().then((outcome) => { process.send({ outcome }, () => { process.exit(0); }); });
