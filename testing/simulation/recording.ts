import type { Recovery, PendingMessage } from '../../actors/recovery.js';
import type { Session } from '../../actors/session.js';
import type { RequestOptions, SendOptions } from '../../actors/session-messages.js';
import { RserpoolError, SessionError } from '../../errors.js';
import { numberOf } from './counter.js';
import type { SessionHistory } from './session-history.js';
import { short } from './transcript.js';

/** Writes down what a user sees of its session: simulated, steered, or on real sockets. */

/** @param note what happens, in words. */
export function record(session: Session, history: SessionHistory, note: (what: string) => void = () => undefined): void {
  session.on('data', (data, { recovery }) => {
    const text = data.toString();
    note(`gets ${short(text)}`);
    if (text.startsWith('tick')) history.ticks.push(Number(text.slice(5)));
    else if (text.startsWith('note')) history.notes.push(text.slice(5));
    else if (!recovery) history.replies.push(text);
  });
  session.on('failover', ({ epoch, cause }) => {
    history.moves.push({ epoch, isHandOver: cause === undefined });
  });
  session.on('error', (error, { undelivered }) => {
    note(`error ${error.code}${undelivered === undefined ? '' : ` of ${short(undelivered.toString())}`}`);
    history.errors.push(error.code);
    if (undelivered === undefined) return;
    history.undelivered.push(undelivered.toString());
    if (isTakenBack(error)) history.takenBack.add(numberOf(undelivered.toString())); // its promise may have resolved when it was kept
  });
}

/** Sends message `number`, and writes down what becomes of its promise. */
export function sendRecorded(session: Session | undefined, history: SessionHistory, text: string, options: SendOptions): void {
  const number = numberOf(text);
  history.sent.push(text);
  session?.send(text, options).then(() => { history.sends.set(number, 'resolved'); }, (error: unknown) => {
    history.sends.set(number, error instanceof RserpoolError ? error.code : String(error));
    if (isTakenBack(error)) history.takenBack.add(number);
  });
}

/** The same as a request: its promise is its reply's. */
export function requestRecorded(session: Session | undefined, history: SessionHistory, text: string, options: RequestOptions): void {
  const number = numberOf(text);
  history.sent.push(text);
  history.requests.set(number, undefined);
  const settled = (reply: string, outcome: string): void => { history.requests.set(number, reply); history.sends.set(number, outcome); };
  session?.request(text, options).then(({ data }) => { settled(data.toString(), 'resolved'); }, (error: unknown) => {
    const code = error instanceof RserpoolError ? error.code : String(error);
    settled(code, code);
    if (isTakenBack(error)) history.takenBack.add(number);
  });
}

/** A callback that discards some of what is pending, as if it were superfluous. */
export function discardSome(recovery: Recovery, pending: readonly PendingMessage[], history: SessionHistory, note: (what: string) => void = () => undefined): void {
  for (const { data, discard } of pending) {
    const number = numberOf(data.toString());
    if (number % 3 !== 0) continue;
    history.discarded.set(number, Math.min(history.discarded.get(number) ?? Infinity, recovery.epoch));
    note(`discards ${number}`);
    discard();
  }
}

/** Before it was transmitted (D-3). */
const isTakenBack = (error: unknown): boolean => error instanceof SessionError && error.outcome === 'not-taken' && (error.code === 'MESSAGE_EXPIRED' || error.code === 'MESSAGE_ABORTED');
