const { cpus } = require('node:os');

// ESM end to end: `npm test` passes --experimental-vm-modules to node.
const common = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testPathIgnorePatterns: ['/node_modules/', '/test/interop/live/'], // `npm run test:interop`: they need a lab
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' }, // sources import './x.js', as NodeNext wants
  transform: { '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }] },
};
const withProcesses = ['**/test/processes/**/*.test.ts', '**/test/documents/readme.test.ts'];

module.exports = {
  testTimeout: 60_000, // ends a test that hangs; how fast the machine is proves nothing
  maxWorkers: cpus().length,
  projects: [
    { ...common, displayName: 'here', testMatch: ['**/*.test.ts', ...withProcesses.map((pattern) => `!${pattern}`)] },
    // Real time: each of them alone, when the others have ended.
    { ...common, displayName: 'processes', testMatch: withProcesses, runner: '<rootDir>/test/support/one-by-one.cjs' },
  ],
};
