/** Reliable Server Pooling (RFC 5351 to 5356) for Node.js. */
export { initialize, type InitializeOptions, type PoolElementHandle, type Resolution, type ResolveOptions, type ServerOptions, type ServiceAccessPoint } from './actors/access-point.js';
export { createRegistrar, type Registrar, type RegistrarEvents, type RegistrarOptions } from './actors/registrar.js';
export type { PoolElement, PoolElementEvents, UpdateOptions, WaitOptions } from './actors/element.js';
export type { AsapOptions, RegisterOptions, SessionHandler } from './actors/register.js';
export type { ServerInfo } from './actors/servers.js';
export type { Policy } from './wire/index.js';
export type { Session, SessionEvents, SessionOptions } from './actors/session.js';
export type { FailoverInfo } from './actors/session-mover.js';
export type { ReceivedInfo, SendOptions } from './actors/session-messages.js';
export type { FailoverCallback, PendingMessage, Recovery } from './actors/recovery.js';
export type { ServiceMessageInfo, ServiceSession, ServiceSessionEvents } from './actors/service-session.js';
export type { ServiceOptions } from './actors/service.js';
export type { DeliveryMode } from './delivery/modes.js';
export * from './actors/policies.js';
export * from './errors.js';
export { WireError, type WireErrorCode } from './wire/error.js';
export { silentLogger, type Clock, type Logger, type Milliseconds, type Random } from './environment.js';
export type { TimerOptions, Timers } from './machines/timers.js';
