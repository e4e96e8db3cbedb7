// Runs inside the lab's namespaces: `npm run test:interop`.
module.exports = {
  ...require('../../jest.config.cjs'),
  rootDir: '../..',
  roots: ['<rootDir>/test/interop/live'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 120_000,
};
