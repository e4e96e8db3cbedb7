import { fromCallback } from 'xstate';
import type { ServiceAccessPoint } from './access-point.js';
import type { RegisterOptions, SessionHandler } from './register.js';
import { createRegistrar, type Registrar, type RegistrarOptions } from './registrar.js';
import type { SendOptions, ReceivedInfo } from './session-messages.js';
import type { Session } from './session.js';
import type { SessionOptions } from './session-types.js';
import type { FailoverInfo } from './session-mover.js';
import type { PoolElement } from './element.js';

/** Actor logic to invoke or spawn in a machine of one's own. What happens comes back to the parent as events; when the actor is stopped, what
 *  it opened is closed. A failure to open comes as `*.failed` and not as an error, which would end a parent that does not expect it. */

export type SessionCommand = { type: 'session.send'; data: Uint8Array | string; options?: SendOptions } | { type: 'session.close' };
export type SessionNews =
  | { type: 'session.opened'; session: Session }
  | { type: 'session.data'; data: Buffer; info: ReceivedInfo }
  | { type: 'session.failover'; info: FailoverInfo }
  | { type: 'session.error'; error: Error; undelivered?: Buffer }
  | { type: 'session.closed' }
  | { type: 'session.failed'; error: unknown };
export interface SessionLogicInput {
  readonly accessPoint: ServiceAccessPoint;
  readonly poolHandle: string | Uint8Array;
  readonly options?: Omit<SessionOptions, 'signal'>;
}

/** A session with a pool. Messages that are sent before it is open wait. */
export const sessionLogic = fromCallback<SessionCommand, SessionLogicInput>(({ input, sendBack, receive }) => {
  const tell: (news: SessionNews) => void = sendBack;
  const abort = new AbortController();
  const early: SessionCommand[] = [];
  let session: Session | undefined;
  const obey = (command: SessionCommand): void => {
    if (!session) early.push(command);
    else if (command.type === 'session.send') void session.send(command.data, command.options); // what fails comes as session.error
    else void session.close();
  };
  receive(obey);
  input.accessPoint.connect(input.poolHandle, { ...input.options, signal: abort.signal }).then((opened) => {
    if (abort.signal.aborted) return opened.destroy();
    session = opened;
    opened.on('data', (data, info) => { tell({ type: 'session.data', data, info }); });
    opened.on('failover', (info) => { tell({ type: 'session.failover', info }); });
    opened.on('error', (error, { undelivered }) => { tell({ type: 'session.error', error, ...(undelivered && { undelivered }) }); });
    opened.on('closed', () => { tell({ type: 'session.closed' }); });
    tell({ type: 'session.opened', session: opened });
    for (const command of early.splice(0)) obey(command);
  }, (error: unknown) => { if (!abort.signal.aborted) tell({ type: 'session.failed', error }); });
  return () => {
    abort.abort();
    session?.destroy();
  };
});

export type PoolElementNews =
  | { type: 'element.registered'; element: PoolElement }
  | { type: 'element.lost'; reason: string }
  | { type: 'element.error'; error: Error }
  | { type: 'element.failed'; error: unknown };
export interface PoolElementLogicInput {
  readonly accessPoint: ServiceAccessPoint;
  readonly poolHandle: string | Uint8Array;
  readonly options?: Omit<RegisterOptions, 'signal'>;
  readonly onSession?: SessionHandler;
}

/** A pool element: registered while the actor runs; deregistered when it is stopped. */
export const poolElementLogic = fromCallback<{ type: 'element.drain' }, PoolElementLogicInput>(({ input, sendBack, receive }) => {
  const tell: (news: PoolElementNews) => void = sendBack;
  const abort = new AbortController();
  let element: PoolElement | undefined;
  receive(() => { void element?.drain(); });
  input.accessPoint.register(input.poolHandle, { ...input.options, signal: abort.signal }, input.onSession).then((registered) => {
    element = registered;
    if (abort.signal.aborted) return void registered.deregister();
    registered.on('registered', () => { tell({ type: 'element.registered', element: registered }); });
    registered.on('lost', ({ reason }) => { tell({ type: 'element.lost', reason }); });
    registered.on('error', (error) => { tell({ type: 'element.error', error }); });
    tell({ type: 'element.registered', element: registered });
  }, (error: unknown) => { if (!abort.signal.aborted) tell({ type: 'element.failed', error }); });
  return () => {
    abort.abort();
    void element?.deregister();
  };
});

export type RegistrarNews = { type: 'registrar.listening'; registrar: Registrar } | { type: 'registrar.failed'; error: unknown };

/** A registrar: runs while the actor runs. */
export const registrarLogic = fromCallback<{ type: 'registrar.close' }, RegistrarOptions>(({ input, sendBack, receive }) => {
  const tell: (news: RegistrarNews) => void = sendBack;
  let isOver = false;
  let registrar: Registrar | undefined;
  receive(() => { void registrar?.close(); });
  createRegistrar(input).then((created) => {
    registrar = created;
    if (isOver) void created.close(); else tell({ type: 'registrar.listening', registrar: created });
  }, (error: unknown) => { if (!isOver) tell({ type: 'registrar.failed', error }); });
  return () => {
    isOver = true;
    void registrar?.close();
  };
});
