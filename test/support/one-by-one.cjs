const { default: TestRunner } = require('jest-runner');

/** Runs one file after the other, in Jest's own process. */
module.exports = class OneByOne extends TestRunner {
  isSerial = true;
};
