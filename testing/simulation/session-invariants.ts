import { numberOf, readReply, recounted, replyCount, stateOf, stateText, type ReadReply } from './counter.js';
import { modeOf, type InstanceHistory, type SessionHistory } from './session-history.js';

/** What a session promises (docs/delivery.md), each with its name. A check gives what is wrong, in words, or undefined. */
export interface SessionInvariant {
  readonly name: string;
  /** Cheap ones are asked after every step, the others when the session has settled. */
  readonly when: 'always' | 'at rest';
  readonly check: (history: SessionHistory) => string | undefined;
}

export const sessionInvariants: readonly SessionInvariant[] = [
  { name: 'replies are as if nothing had failed', when: 'always', check: repliesInOrder },
  { name: 'every reply comes', when: 'at rest', check: allReplies },
  { name: 'a request has its own reply', when: 'always', check: ownReplies },
  { name: 'replies say what was counted', when: 'at rest', check: genuineReplies },
  { name: 'state is as if nothing had failed', when: 'at rest', check: finalState },
  { name: 'at-least-once loses nothing', when: 'at rest', check: nothingLost },
  { name: 'at-least-once resolves when handled', when: 'always', check: resolvedWhenHandled },
  { name: 'at-most-once doubles nothing', when: 'always', check: nothingDoubled },
  { name: 'at-most-once reports what it may have lost', when: 'at rest', check: lossReported },
  { name: 'what was taken back is handled by nobody', when: 'always', check: takenBackForGood },
  { name: 'what was discarded is not handled again', when: 'always', check: discardedForGood },
  { name: 'unprompted messages are numbered without a gap', when: 'always', check: ticksInOrder },
  { name: 'unprompted messages come once', when: 'always', check: ({ notes }) => notes.find((note, index) => notes.indexOf(note) !== index)?.concat(' came twice') },
  { name: 'what is restored was saved', when: 'always', check: restoredAsSaved },
  { name: 'order at the new pool element', when: 'always', check: (history) => first(history.instances, (instance) => orderAt(instance, history)) },
  { name: 'a hand-over doubles nothing', when: 'always', check: handedOverOnce },
  { name: 'a message at a time', when: 'always', check: ({ instances, concurrency }) => first(instances, (instance) => (instance.mostRunning > concurrency ? `${instance.mostRunning} handlers at once at ${place(instance)}` : undefined)) },
  { name: 'one epoch at a time at a pool element', when: 'always', check: oneEpoch },
  { name: 'who froze hands nothing out', when: 'always', check: ({ instances }) => first(instances, (instance) => (instance.trespasses.length > 0 ? `${place(instance)} began ${instance.trespasses.join(', ')} after its user had left` : undefined)) },
  { name: 'every send settles', when: 'at rest', check: sendsSettle },
  { name: 'the session goes on', when: 'at rest', check: goesOn },
  { name: 'the window is bounded', when: 'always', check: windowBounded },
];

// ---- effectively-once

/** Sent effectively-once, and left in the sequence. */
const isExact = (history: SessionHistory, number: number): boolean => modeOf(history, number) === 'effectively-once' && isLeft(history, number);
const isLeft = ({ takenBack, discarded }: SessionHistory, number: number): boolean => !takenBack.has(number) && !discarded.has(number);

const numbersOf = ({ sent }: SessionHistory): number[] => sent.map(numberOf);
/** Of replies that come as data: the first to a request is its own. */
const labelsOf = (number: number, { requests }: SessionHistory): string[] => Array.from({ length: replyCount(number) }, (_, index) => `${number}.${index}`).slice(requests.has(number) ? 1 : 0);

function repliesInOrder(history: SessionHistory): string | undefined {
  const replies = history.replies.map(readReply).filter(({ number }) => isExact(history, number));
  if (replies.length === 0) return undefined;
  const expected = numbersOf(history).filter((number) => isExact(history, number)).flatMap((number) => labelsOf(number, history));
  return wrongLabel(replies, expected, history.concurrency) ?? (history.stateful ? oneStory(replies, history) : oneAnswerEach(replies, history));
}

function wrongLabel(replies: readonly ReadReply[], expected: readonly string[], concurrency: number): string | undefined {
  if (concurrency > 1) return onceEach(replies.map(({ label }) => label), expected);
  const at = replies.findIndex(({ label }, index) => label !== expected[index]);
  return at < 0 ? undefined : `reply ${at + 1} is ${replies[at]?.label}, not ${expected[at] ?? 'nothing'}`;
}

function onceEach(labels: readonly string[], expected: readonly string[]): string | undefined {
  const known = new Set(expected);
  const seen = new Set<string>();
  for (const label of labels) {
    if (!known.has(label)) return `${label} is no reply to anything`;
    if (seen.has(label)) return `${label} came twice`;
    seen.add(label);
  }
  return undefined;
}

/** Each reply was made in a state that goes on from that of the one before: everything exact, once, and the dice as they had fallen. */
function oneStory(replies: readonly ReadReply[], history: SessionHistory): string | undefined {
  let before = '';
  for (const { label, number, state } of replies) {
    const exact = state.seen.filter((entry) => isExact(history, numberOf(entry)));
    const counts = numbersOf(history).filter((each) => each <= number && isExact(history, each));
    if (exact.map(numberOf).join() !== counts.join()) return `reply ${label} was made after ${exact.join(', ')}, not ${counts.join(', ')}`;
    const story = exact.join('.');
    if (!`${story}.`.startsWith(before)) return `reply ${label} was made after ${story}; one before it after ${before}`;
    before = `${story}.`;
  }
  return undefined;
}

/** Replies are given out, and recognised, per request as a whole; streamed ones are not (D-10). */
function oneAnswerEach(replies: readonly ReadReply[], { streaming }: SessionHistory): string | undefined {
  const answers = new Map<number, string>();
  for (const { label, number, state } of replies) {
    const text = stateText(state);
    if ((answers.get(number) ?? text) !== text && !streaming) return `reply ${label} says ${text}; another to the same message ${answers.get(number)}`;
    answers.set(number, text);
  }
  return undefined;
}

function allReplies(history: SessionHistory): string | undefined {
  if (history.end !== undefined) return undefined;
  const given = new Set(history.replies.map((reply) => readReply(reply).label));
  const missing = numbersOf(history).filter((number) => modeOf(history, number) !== 'at-most-once' && isLeft(history, number)).flatMap((number) => labelsOf(number, history)).filter((label) => !given.has(label));
  return missing.length === 0 ? undefined : `no reply ${missing.join(', ')}`;
}

/** The first to that message, whoever gave it; at rest there is one where there will be one. */
function ownReplies(history: SessionHistory): string | undefined {
  for (const [number, reply] of history.requests) {
    if (reply === undefined || !/^\d/.test(reply)) continue;
    const { label } = readReply(reply);
    if (label !== `${number}.0`) return `request ${number} was answered by ${label}`;
  }
  return undefined;
}

function genuineReplies(history: SessionHistory): string | undefined {
  const answers = [...history.requests.values()].filter((reply) => reply !== undefined && /^\d/.test(reply)) as string[];
  const unanswered = [...history.requests].filter(([number, reply]) => modeOf(history, number) !== 'at-most-once' && isLeft(history, number) && !answers.includes(reply ?? '')).map(([number, reply]) => `${number} (${reply ?? 'it waits'})`);
  if (unanswered.length > 0 && history.end === undefined) return `no reply to request ${unanswered.join(', ')}`;
  return first([...history.replies, ...answers], (text) => {
    const { label, number, state } = readReply(text);
    const last = state.seen.at(-1);
    return last === undefined || numberOf(last) !== number || (!history.stateful && state.seen.length !== 1) ? `reply ${label} was made after ${state.seen.join(', ')}` : notGenuine(`reply ${label}`, text.split(' ')[1] ?? '', history);
  });
}

/** Nothing is counted twice, in another order, or changed on its way. */
function notGenuine(what: string, text: string, { sent }: SessionHistory): string | undefined {
  const state = stateOf(text);
  const numbers = state.seen.map(numberOf);
  if (numbers.some((number, index) => index > 0 && number <= (numbers[index - 1] ?? 0))) return `${what} was made after ${numbers.join(', ')}`;
  const expected = stateText(recounted(state, sent));
  return text === expected ? undefined : `${what} says ${text}, not ${expected}`;
}

function finalState(history: SessionHistory): string | undefined {
  const { stateful, instances, end, replies } = history;
  const last = instances.reduce<InstanceHistory | undefined>((latest, instance) => (latest === undefined || instance.epoch > latest.epoch ? instance : latest), undefined);
  if (!stateful || end !== undefined || last === undefined) return undefined;
  const exact = stateOf(last.state).seen.filter((entry) => isExact(history, numberOf(entry)));
  const expected = numbersOf(history).filter((number) => isExact(history, number));
  if (exact.map(numberOf).join() !== expected.join()) return `${place(last)} has ${last.state}, not ${expected.join('.')}`;
  const told = replies.map(readReply).filter(({ number }) => isExact(history, number)).at(-1)?.state.seen.filter((entry) => isExact(history, numberOf(entry))) ?? [];
  return told.some((entry, index) => exact[index] !== entry) ? `${place(last)} has ${last.state}; its user was told ${told.join('.')}` : notGenuine(place(last), last.state, history);
}

// ---- the other modes

const handledOf = ({ instances }: Pick<SessionHistory, 'instances'>): number[] => instances.flatMap(({ events }) => events.filter((event) => /^\d+$/.test(event)).map(Number));

function nothingLost(history: SessionHistory): string | undefined {
  if (history.end !== undefined) return undefined;
  const handled = new Set(handledOf(history));
  const lost = numbersOf(history).filter((number) => modeOf(history, number) !== 'at-most-once' && isLeft(history, number) && !handled.has(number));
  return lost.length === 0 ? undefined : `${lost.join(', ')} handled by nobody`;
}

function resolvedWhenHandled(history: SessionHistory): string | undefined {
  const waited = [...history.sends].filter(([number, outcome]) => outcome === 'resolved' && modeOf(history, number) === 'at-least-once' && isLeft(history, number));
  if (waited.length === 0) return undefined;
  const handled = new Set(handledOf(history));
  const early = waited.map(([number]) => number).filter((number) => !handled.has(number));
  return early.length === 0 ? undefined : `the promise of ${early.join(', ')} resolved, and nobody has handled it`;
}

function nothingDoubled(history: SessionHistory): string | undefined {
  const isFor = (number: number): boolean => modeOf(history, number) === 'at-most-once';
  const handled = handledOf(history).filter(isFor);
  const twice = handled.filter((number, index) => handled.indexOf(number) !== index);
  if (twice.length > 0) return `${twice.join(', ')} handled twice`;
  const labels = history.replies.map(readReply).filter(({ number }) => isFor(number)).map(({ label }) => label);
  return labels.find((label, index) => labels.indexOf(label) !== index)?.concat(' came twice');
}

function lossReported(history: SessionHistory): string | undefined {
  const known = new Set([...handledOf(history), ...history.undelivered.map(numberOf)]);
  const silent = numbersOf(history).filter((number) => modeOf(history, number) === 'at-most-once' && isLeft(history, number) && !known.has(number) && (history.sends.get(number) ?? 'resolved') === 'resolved');
  return silent.length === 0 ? undefined : `${silent.join(', ')} neither handled nor reported`;
}

function takenBackForGood(history: SessionHistory): string | undefined {
  if (history.takenBack.size === 0) return undefined;
  const handled = handledOf(history).filter((number) => history.takenBack.has(number));
  return handled.length === 0 ? undefined : `${handled.join(', ')} was taken back, and handled`;
}

/** The callback runs at the next element, before anything is sent there again. */
function discardedForGood({ discarded, instances }: SessionHistory): string | undefined {
  if (discarded.size === 0) return undefined;
  return first(instances, (instance) => {
    const again = handledOf({ instances: [instance] }).filter((number) => (discarded.get(number) ?? Infinity) <= instance.epoch);
    return again.length === 0 ? undefined : `${place(instance)} handles ${again.join(', ')}, which was discarded`;
  });
}

function ticksInOrder({ ticks }: SessionHistory): string | undefined {
  const at = ticks.findIndex((tick, index) => tick !== index + 1);
  return at < 0 ? undefined : `unprompted message ${at + 1} is number ${ticks[at]}`;
}

// ---- at the pool elements

/** Whoever brings it: a cookie is verified before it is handled (D-24, D-26). */
function restoredAsSaved({ instances, saved }: SessionHistory): string | undefined {
  return first(instances, (instance) => {
    const [, cookie] = /^cookie (.*)$/.exec(instance.events[0] ?? '') ?? [];
    return cookie === undefined || saved.has(cookie) ? undefined : `${place(instance)} restored ${cookie}, which nobody saved`;
  });
}

/** D-13: the cookie, what the callback sent, the rest by its numbers. */
function orderAt(instance: InstanceHistory, history: SessionHistory): string | undefined {
  const { events } = instance;
  let stage = 0;
  let last = 0;
  for (const event of events) {
    const now = event.startsWith('cookie') ? 0 : event.startsWith('callback') ? 1 : 2;
    if (now < stage || (now === 0 && event !== events[0])) return `${place(instance)} saw ${events.join(', ')}`;
    stage = now;
    if (now < 2) continue;
    const number = Number(event);
    if (number <= last || (last > 0 && isGap(last, number, history))) return `${place(instance)} saw ${number} after ${last}`;
    last = number;
  }
  return undefined;
}

/** A replay leaves out what is covered: alone where each is covered by itself. */
function isGap(last: number, number: number, history: SessionHistory): boolean {
  if (history.concurrency > 1) return false;
  for (let between = last + 1; between < number; between += 1) {
    const mode = modeOf(history, between);
    if (isLeft(history, between) && mode !== 'at-most-once' && !(mode === 'at-least-once' && history.stateful)) return true;
  }
  return false;
}

/** D-27: what a draining element began it has finished, and said so before MOVE. */
function handedOverOnce({ instances, moves }: SessionHistory): string | undefined {
  return first(moves.map((move, index) => ({ ...move, before: moves[index - 1]?.epoch })), ({ epoch, isHandOver, before }) => {
    if (!isHandOver) return undefined;
    const left = instances.filter((instance) => (before === undefined ? instance.epoch < epoch && instance.events.length > 0 : instance.epoch === before)).sort((a, b) => b.epoch - a.epoch)[0];
    const done = new Set(left === undefined ? [] : handledOf({ instances: [left] }));
    const again = handledOf({ instances: instances.filter((instance) => instance.epoch >= epoch) }).filter((number) => done.has(number));
    return again.length === 0 ? undefined : `${again.join(', ')} handled at ${left === undefined ? '' : place(left)}, handed over in epoch ${epoch}, and handled again`;
  });
}

function oneEpoch({ instances }: SessionHistory): string | undefined {
  for (const instance of instances) {
    const other = instance.running > 0 ? instances.find((each) => each !== instance && each.process === instance.process && each.running > 0) : undefined;
    if (other !== undefined) return `${place(instance)} and epoch ${other.epoch} handle messages at once`;
  }
  return undefined;
}

// ---- everywhere

function sendsSettle({ sent, sends }: SessionHistory): string | undefined {
  const waiting = sent.map(numberOf).filter((number) => !sends.has(number));
  return waiting.length === 0 ? undefined : `the promise of ${waiting.join(', ')} waits`;
}

/** Three failovers over one message end a session (D-17), nothing else does; but one whose cookie is forged has little time (watched-session.ts). */
function goesOn({ end, errors, moves, isForged }: SessionHistory): string | undefined {
  if (!isForged && errors.includes('COOKIE_REFUSED')) return 'its own cookie was refused';
  return end === undefined || (isForged && (errors.includes('COOKIE_REFUSED') || errors.includes('FAILOVER_FAILED'))) || (errors.includes('POISONED_MESSAGE') && moves.length >= 2) ? undefined : `it ended: ${end} (${errors.join(', ')})`;
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
