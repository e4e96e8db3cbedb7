/** Every chart: one procedure of RFC 5352 or one role each. */
export * from './control-channel.js';
export * from './keep-alive.js';
export * from './link.js';
export * from './service.js';
export * from './session.js';
export * from './timers.js';
export * from './pool-element.js';
export * from './pool-user.js';
export * from './registration.js';
export * from './registrar.js';
export * from './registrar-peer.js';
export * from './resolution.js';
export * from './server-hunt.js';
export * from './takeover.js';
