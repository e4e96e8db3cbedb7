import { numberOf, reference, stateText, statelessReplies } from './counter.js';
import type { InstanceHistory, SessionHistory } from './session-history.js';

/** What a session promises (docs/delivery.md), each with its name. A check gives what is wrong, in words, or undefined. */
export interface SessionInvariant {
  readonly name: string;
  /** Cheap ones are asked after every step, the others when the session has settled. */
  readonly when: 'always' | 'at rest';
  readonly check: (history: SessionHistory) => string | undefined;
}

export const sessionInvariants: readonly SessionInvariant[] = [
  { name: 'replies are as if nothing had failed', when: 'always', check: ordered(repliesInOrder) },
  { name: 'every reply comes', when: 'at rest', check: allReplies },
  { name: 'state is as if nothing had failed', when: 'at rest', check: finalState },
  { name: 'at-least-once loses nothing', when: 'at rest', check: nothingLost },
  { name: 'at-least-once resolves when handled', when: 'always', check: resolvedWhenHandled },
  { name: 'at-most-once doubles nothing', when: 'always', check: nothingDoubled },
  { name: 'at-most-once reports what it may have lost', when: 'at rest', check: lossReported },
  { name: 'unprompted messages are numbered without a gap', when: 'always', check: ticksInOrder },
  { name: 'order at the new pool element', when: 'always', check: ({ instances, mode, concurrency }) => first(instances, (instance) => orderAt(instance, mode === 'at-most-once', concurrency)) },
  { name: 'a message at a time', when: 'always', check: ({ instances, concurrency }) => first(instances, (instance) => (instance.mostRunning > concurrency ? `${instance.mostRunning} handlers at once at ${place(instance)}` : undefined)) },
  { name: 'one epoch at a time at a pool element', when: 'always', check: oneEpoch },
  { name: 'who froze hands nothing out', when: 'always', check: ({ instances }) => first(instances, (instance) => (instance.trespasses.length > 0 ? `${place(instance)} began ${instance.trespasses.join(', ')} after its user had left` : undefined)) },
  { name: 'every send settles', when: 'at rest', check: sendsSettle },
  { name: 'the session goes on', when: 'at rest', check: goesOn },
  { name: 'the window is bounded', when: 'always', check: windowBounded },
];

/** Effectively-once with one handler at a time. */
function ordered(check: (history: SessionHistory) => string | undefined): (history: SessionHistory) => string | undefined {
  return (history) => (history.mode === 'effectively-once' ? check(history) : undefined);
}

const expectedReplies = ({ stateful, sent }: SessionHistory): readonly string[] => (stateful ? reference(sent).replies : sent.flatMap(statelessReplies));

function repliesInOrder(history: SessionHistory): string | undefined {
  const expected = expectedReplies(history);
  const { replies, concurrency } = history;
  if (concurrency > 1) return onceEach(replies, expected);
  const at = replies.findIndex((reply, index) => reply !== expected[index]);
  return at < 0 ? undefined : `reply ${at + 1} is ${replies[at]}, not ${expected[at] ?? 'nothing'}`;
}

function onceEach(replies: readonly string[], expected: readonly string[]): string | undefined {
  const known = new Set(expected);
  const seen = new Set<string>();
  for (const reply of replies) {
    if (!known.has(reply)) return `${reply} is no reply to anything`;
    if (seen.has(reply)) return `${reply} came twice`;
    seen.add(reply);
  }
  return undefined;
}

function allReplies(history: SessionHistory): string | undefined {
  if (history.mode === 'at-most-once' || history.end !== undefined) return undefined;
  const missing = expectedReplies(history).filter((reply) => !history.replies.includes(reply));
  return missing.length === 0 ? undefined : `no reply ${missing.join(', ')}`;
}

function finalState({ mode, stateful, sent, instances, end }: SessionHistory): string | undefined {
  if (mode !== 'effectively-once' || !stateful || end !== undefined) return undefined;
  const expected = stateText(reference(sent).state);
  const last = instances.reduce<InstanceHistory | undefined>((latest, instance) => (latest === undefined || instance.epoch > latest.epoch ? instance : latest), undefined);
  return last === undefined || last.state === expected ? undefined : `${place(last)} has ${last.state}, not ${expected}`;
}

const handledOf = ({ instances }: SessionHistory): number[] => instances.flatMap(({ events }) => events.filter((event) => /^\d+$/.test(event)).map(Number));

function nothingLost(history: SessionHistory): string | undefined {
  if (history.mode === 'at-most-once' || history.end !== undefined) return undefined;
  const handled = new Set(handledOf(history));
  const lost = history.sent.map(numberOf).filter((number) => !handled.has(number));
  return lost.length === 0 ? undefined : `${lost.join(', ')} handled by nobody`;
}

function resolvedWhenHandled(history: SessionHistory): string | undefined {
  if (history.mode !== 'at-least-once') return undefined;
  const handled = new Set(handledOf(history));
  const early = [...history.sends].filter(([number, outcome]) => outcome === 'resolved' && !handled.has(number)).map(([number]) => number);
  return early.length === 0 ? undefined : `the promise of ${early.join(', ')} resolved, and nobody has handled it`;
}

function nothingDoubled(history: SessionHistory): string | undefined {
  if (history.mode !== 'at-most-once') return undefined;
  const handled = handledOf(history);
  const twice = handled.filter((number, index) => handled.indexOf(number) !== index);
  if (twice.length > 0) return `${twice.join(', ')} handled twice`;
  return history.replies.find((reply, index) => history.replies.indexOf(reply) !== index)?.concat(' came twice');
}

function lossReported(history: SessionHistory): string | undefined {
  if (history.mode !== 'at-most-once') return undefined;
  const known = new Set([...handledOf(history), ...history.undelivered.map(numberOf)]);
  const silent = history.sent.map(numberOf).filter((number) => !known.has(number) && (history.sends.get(number) ?? 'resolved') === 'resolved');
  return silent.length === 0 ? undefined : `${silent.join(', ')} neither handled nor reported`;
}

function ticksInOrder({ ticks }: SessionHistory): string | undefined {
  const at = ticks.findIndex((tick, index) => tick !== index + 1);
  return at < 0 ? undefined : `unprompted message ${at + 1} is number ${ticks[at]}`;
}

/** D-13: the cookie, what the callback sent, the rest by its numbers. */
function orderAt(instance: InstanceHistory, mayHaveGaps: boolean, concurrency: number): string | undefined {
  const { events } = instance;
  let stage = 0;
  let last = 0;
  for (const event of events) {
    const now = event.startsWith('cookie') ? 0 : event.startsWith('callback') ? 1 : 2;
    if (now < stage || (now === 0 && event !== events[0])) return `${place(instance)} saw ${events.join(', ')}`;
    stage = now;
    if (now < 2) continue;
    const number = Number(event);
    if (number <= last || (last > 0 && number !== last + 1 && !mayHaveGaps && concurrency === 1)) return `${place(instance)} saw ${number} after ${last}`;
    last = number;
  }
  return undefined;
}

function oneEpoch({ instances }: SessionHistory): string | undefined {
  for (const instance of instances) {
    const other = instance.running > 0 ? instances.find((each) => each !== instance && each.process === instance.process && each.running > 0) : undefined;
    if (other !== undefined) return `${place(instance)} and epoch ${other.epoch} handle messages at once`;
  }
  return undefined;
}

function sendsSettle({ sent, sends }: SessionHistory): string | undefined {
  const waiting = sent.map(numberOf).filter((number) => !sends.has(number));
  return waiting.length === 0 ? undefined : `the promise of ${waiting.join(', ')} waits`;
}

/** Three failovers over one message end a session (D-17), nothing else does. */
function goesOn({ end, errors, failovers }: SessionHistory): string | undefined {
  return end === undefined || (errors.includes('POISONED_MESSAGE') && failovers >= 2) ? undefined : `it ended: ${end} (${errors.join(', ')})`;
}

function windowBounded({ window, mostKept }: SessionHistory): string | undefined {
  return mostKept.messages > window.messages || mostKept.bytes > window.bytes ? `${mostKept.messages} messages of ${mostKept.bytes} bytes are kept` : undefined;
}

const place = ({ process, epoch }: InstanceHistory): string => `${process} in epoch ${epoch}`;

function first<T>(items: readonly T[], check: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const wrong = check(item);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
