// Runs inside the lab's namespaces: `npm run test:interop`.
const { projects: [here] } = require('../../jest.config.cjs');

module.exports = {
  ...here,
  displayName: 'interop',
  rootDir: '../..',
  roots: ['<rootDir>/test/interop/live'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 120_000,
};
