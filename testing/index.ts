export { SeededRandom } from './seeded-random.js';
export { SimulatedClock } from './simulated-clock.js';
export { Transcript, type TranscriptEntry } from './simulation/transcript.js';
export { recordingLogger, World, type LogEntry, type WorldHost } from './world.js';
