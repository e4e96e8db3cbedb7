/** Actor logic to embed in machines of one's own. */
export * from './logic.js';
