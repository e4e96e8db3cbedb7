/** Faults that the simulated world has to find. Each is a patch of the sources, made in a copy: nothing of it is in the package. */
export interface PlantedFault {
  readonly name: string;
  readonly scenario: 'session' | 'pool' | 'scope' | `${'session' | 'pool' | 'scope'}-sctp`;
  readonly file: string;
  /** Each is found exactly once in its file; where several places guard against the same, it takes several. */
  readonly edits: readonly { readonly find: string; readonly replace: string; readonly file?: string }[];
}

const one = (find: string, replace: string): PlantedFault['edits'] => [{ find, replace }];

export const faults: readonly PlantedFault[] = [
  {
    name: 'skip the cookie echo', scenario: 'session', file: 'actors/session-mover.ts',
    edits: one('if (cookie) writeFrame(this.link,', 'if (cookie && half.epoch < 2) writeFrame(this.link,'),
  },
  {
    name: 'the cookie is not handed to the service', scenario: 'session', file: 'delivery/service-half.ts',
    edits: one('return this.owner.restore(this.#echo.cookie);', 'return undefined;'),
  },
  {
    name: 'resend twice', scenario: 'session', file: 'delivery/user-lane.ts',
    edits: one("if (!entry.sent || entry.mode !== 'at-most-once') continue;", 'continue;'),
  },
  {
    name: 'DONE before the handler has settled', scenario: 'session', file: 'delivery/service-lane.ts',
    edits: one('    half.running.add(incoming);\n', '    half.running.add(incoming);\n    this.#done = incoming.sequence;\n    half.port.flushSoon();\n'),
  },
  {
    name: 'replies given out before their cookie', scenario: 'session', file: 'delivery/user-lane.ts',
    edits: one('    if (entry.answered) return half.consumed(output.payload.length);\n    this.#hold(output);', '    if (entry.answered) return half.consumed(output.payload.length);\n    half.owner.give(output);'),
  },
  {
    name: 'replies of the element that was left are kept', scenario: 'session', file: 'delivery/user-lane.ts',
    edits: one('    this.#held.clear();\n', ''),
  },
  {
    name: 'callback messages in the sequence', scenario: 'session', file: 'delivery/user-half.ts',
    edits: one('writeData(port, this.session, recovery, ppid, ++this.#recoveryId, payload);', 'this.send(payload, this.mode, ppid, false);'),
  },
  {
    name: 'snapshot id off by one', scenario: 'session', file: 'delivery/service-half.ts',
    edits: one('return { bytes, covered: this.handledTo,', 'return { bytes, covered: this.handledTo - 1,'),
  },
  {
    name: 'a thawed PE that goes on', scenario: 'session', file: 'actors/service.ts',
    edits: one('for (const session of this.#sessions) session.half.hold();', ''),
  },
  {
    name: 'timer not cancelled', scenario: 'session', file: 'actors/data-plane.ts',
    edits: one('for (const timer of this.#idle.values()) this.environment.clock.clearTimeout(timer);', ''),
  },
  {
    name: 'cookie signature not checked', scenario: 'session', file: 'actors/cookie-signer.ts',
    edits: one('    if (!timingSafeEqual(', '    if (false && !timingSafeEqual('),
  },
  {
    name: 'older keys forgotten at a rotation', scenario: 'session', file: 'actors/cookie-signer.ts',
    edits: one('new Map(keys.map(({ id, key })', 'new Map(keys.slice(0, 1).map(({ id, key })'),
  },
  {
    name: 'request answered by the reply to another', scenario: 'session', file: 'actors/session-requests.ts',
    edits: one('this.#waiting.get(keyOf(output.lane, output.request));', '[...this.#waiting.values()][0];'),
  },
  {
    name: 'taken back after it was transmitted', scenario: 'session', file: 'actors/session-sender.ts',
    edits: [
      { find: 'const isTakenBack = !entry.sent && !entry.covered;', replace: 'const isTakenBack = !entry.covered;' },
      { find: '    if (entry.sent && isSettled) return;\n', replace: '' },
      { find: 'if (entry.sent) limits.endLifetime(); else entry.unlimit = isSettled ? limits.end : limits.endLifetime;', replace: '' },
    ],
  },
  {
    name: 'discarded messages are sent again', scenario: 'session', file: 'actors/recovery.ts',
    edits: one('        this.#half.laneOf(entry.lane).window.cover(entry);\n', ''),
  },
  {
    name: 'streamed replies are given out again', scenario: 'session', file: 'delivery/user-lane.ts',
    edits: one('    if (output.index < entry.given) return this.half.consumed(output.payload.length);\n', ''),
  },
  {
    name: 'the window does not count', scenario: 'session', file: 'delivery/window.ts',
    edits: one('this.isEmpty || (this.size < this.#mostMessages && this.#bytes + length <= this.#mostBytes)', 'true'),
  },
  {
    name: 'a drain does not wait for the running handler', scenario: 'session', file: 'delivery/service-half.ts',
    edits: one('    await this.settled();\n    this.takeSnapshot();', '    this.takeSnapshot();'),
  },
  {
    name: 'sessions of a dead user go on', scenario: 'session', file: 'actors/service-session.ts',
    edits: one("    if (!card) return this.half.end('NORMAL', reason.message, reason);", '    if (!card) return;'),
  },
  {
    name: 'a message to all leaves somebody out', scenario: 'pool', file: 'actors/sending.ts',
    edits: one('const elements = onePerPlace(all.filter(', 'const elements = onePerPlace(all.slice(1).filter('),
  },
  {
    name: 'who was started again gets two copies', scenario: 'pool', file: 'actors/sending.ts',
    edits: [
      { find: 'const place = JSON.stringify(element.userTransport);', replace: 'const place = String(element.identifier);' },
      { find: "if (frame.type === 'IDENTITY') link.peIdentifier", replace: "if (frame.type === 'IDENTITY' && link.peIdentifier !== undefined) link.peIdentifier", file: 'actors/data-plane.ts' },
    ],
  },
  {
    name: 'answers come from whom the first message went to', scenario: 'pool', file: 'actors/sending-session.ts',
    edits: one('undefined : { handle, identifier: peIdentifier };', 'undefined : ((this as { first?: PoolElementHandle }).first ??= { handle, identifier: peIdentifier });'),
  },
  {
    name: 'messages go where no data channel is', scenario: 'pool', file: 'actors/mappings.ts',
    edits: one("name: 'none', canCarrySessions: false,", "name: 'none', canCarrySessions: true,"),
  },
  {
    name: 'a server that lives is given up', scenario: 'pool', file: 'actors/servers.ts',
    edits: one('given.isLost ||= removed.some(', 'given.isLost ||= removed.length > 0 || removed.some('),
  },
  {
    name: 'nobody is told that its server is gone', scenario: 'pool', file: 'actors/servers.ts',
    edits: one('      if (to !== undefined) this.#replaced?.(', '      if (to === undefined) this.#replaced?.('),
  },
  {
    name: 'subscribers hear of nothing', scenario: 'pool', file: 'actors/subscriptions.ts',
    edits: one('if (subscriber.isWritable) return this.push(subscriber, poolKey);', 'if (subscriber.isWritable) return;'),
  },
  {
    name: 'a dead client is followed by policy alone', scenario: 'pool', file: 'actors/data-plane.ts',
    edits: one('const meeting = { id, epoch, client, own: this.cards.own(key), preferred };', 'const meeting = { id, epoch, client, own: this.cards.own(key), preferred: [] };'),
  },
  {
    name: 'nobody is met in the place of a dead client', scenario: 'pool', file: 'actors/service-session.ts',
    edits: one('const card = this.#mayMeet(reason) ? this.#link.control?.card : undefined;', 'const card = this.#mayMeet(reason) && this.epoch < 0 ? this.#link.control?.card : undefined;'),
  },
  {
    name: 'credit is not given back', scenario: 'pool', file: 'delivery/credit.ts',
    edits: one('    if (this.#consumed * 2 < this.#total) return 0;', '    return 0;'),
  },
  {
    name: 'credit is not minded', scenario: 'pool', file: 'delivery/output-queue.ts',
    edits: [{ find: 'if (this.isClear && size <= this.credit.credit) {', replace: 'if (this.isClear) {' }, { find: 'if (this.port.congested || item.size > this.credit.credit) break;', replace: 'if (this.port.congested) break;' }],
  },
  {
    name: 'checksum not updated on removal', scenario: 'scope', file: 'handlespace/handlespace.ts',
    edits: one('    owner.checksum.remove(element.block);\n', ''),
  },
  {
    name: 'forget the generation', scenario: 'scope', file: 'handlespace/handlespace.ts',
    edits: one('  return a.generation === b.generation ? a.home > b.home : a.generation > b.generation;', '  return false;'),
  },
  {
    name: 'smaller id wins on both sides', scenario: 'scope', file: 'machines/takeover.ts',
    edits: [
      { find: 'isRivalStronger: ({ context }, { by }: Who) => by > context.self,', replace: 'isRivalStronger: () => false,' },
      { find: "          { actions: { type: 'noteRival', params: ({ event }) => event } }, // 2B", replace: "          { actions: { type: 'forgetPeer', params: ({ event }) => event } }," },
    ],
  },
  {
    name: 'no refutation', scenario: 'scope', file: 'actors/enrp-takeovers.ts',
    edits: [
      { find: 'return this.#isLeaving ? undefined : this.#owner.announcePresence();', replace: 'return undefined;' },
      { find: "if (!peer.isLeaving) this.#tell(peer.id, { type: 'target.heard' });", replace: '' },
      { file: 'machines/registrar-peer.ts', find: "      entry: { type: 'order', params: { type: 'order.probe' } },\n      on: { heard: 'active' },", replace: "      entry: { type: 'order', params: { type: 'order.probe' } }," },
      { file: 'machines/registrar-peer.ts', find: "          { guard: 'isHeard', target: 'active' },\n", replace: '' },
    ],
  },
  {
    name: 'two homes after healing', scenario: 'scope', file: 'actors/enrp-takeovers.ts',
    edits: [
      { find: 'if (target === this.#self) return this.#lostEverything(peer);', replace: 'if (target === this.#self) return;' },
      { file: 'actors/enrp-copy.ts', find: 'if (known !== undefined && known.home !== peer.id && !isNewer(element.generation, known.generation)', replace: 'if (known !== undefined && known.home !== peer.id && (known.home === this.core.identifier || !isNewer(element.generation, known.generation))' },
    ],
  },
  {
    name: 'keep-alive answered by the wrong PE', scenario: 'scope', file: 'actors/home.ts',
    edits: [
      { find: 'if (pool === undefined || (peIdentifier !== undefined && !pool.has(peIdentifier))) return;', replace: 'if (pool === undefined) return;' },
      { find: "for (const [identifier] of asked) association.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle, peIdentifier: identifier });", replace: "for (const [identifier] of pool) association.send({ type: 'ASAP_ENDPOINT_KEEP_ALIVE_ACK', poolHandle, peIdentifier: peIdentifier ?? identifier });" },
    ],
  },
  {
    name: 'SCTP: messages in the order in which they come', scenario: 'session-sctp', file: 'transports/sctp/receiver.ts',
    edits: one('    if (ssn !== stream.next) {', '    if (ssn < 0) {'),
  },
  {
    name: 'SCTP: what is lost is not sent again', scenario: 'session-sctp', file: 'transports/sctp/sender.ts',
    edits: one("      if (fragment.state !== 'lost') continue;", "      if (fragment.transmissions > 0) continue;"),
  },
  {
    name: 'SCTP: a hole is taken for filled', scenario: 'session-sctp', file: 'transports/sctp/receiver.ts',
    edits: one('    if (blocks.length === 0 && distance === 1) {\n      this.cumulative = u32(this.cumulative + 1);', '    if (blocks.length === 0) {\n      this.cumulative = u32(this.cumulative + distance);'),
  },
  {
    name: 'SCTP: timers of an association that has ended', scenario: 'session-sctp', file: 'transports/sctp/association.ts',
    edits: one('    for (const timer of [this.#setUpTimer, this.#dataTimer, this.#sackTimer]) timer.clear();\n', ''),
  },
];
