import tseslint from 'typescript-eslint';

// Imports go one way (CONTRIBUTING.md, "The tree"): what a folder may import from its neighbours.
const mayImport = {
  wire: [],
  handlespace: ['wire'],
  delivery: ['wire'],
  machines: ['wire', 'handlespace', 'delivery'],
  transports: ['wire'], // wire/framer.js only, below
  actors: ['wire', 'handlespace', 'delivery', 'machines', 'transports'],
  testing: ['wire', 'handlespace', 'delivery', 'machines', 'transports', 'actors'],
};
const pure = ['wire', 'handlespace', 'delivery', 'machines']; // no I/O, no clock, no randomness
const folders = [...Object.keys(mayImport), 'cli', 'bench', 'examples', 'test'];

/** Patterns for no-restricted-imports in one folder. */
const importRules = (folder) => {
  const forbidden = folders.filter((other) => other !== folder && !mayImport[folder].includes(other));
  const patterns = [
    { regex: `^(\\.\\./)+(${forbidden.join('|')})/`, message: `${folder}/ may import only from ${mayImport[folder].join(', ') || 'itself'}.` },
    { regex: '^(\\.\\./)+index\\.js$', message: 'The library does not import its own entry point.' },
  ];
  if (pure.includes(folder)) patterns.push({ regex: '^(node:|net$|dgram$|fs$|crypto$|events$|timers)', message: `${folder}/ does no I/O: what it needs comes in as an argument.` });
  if (folder === 'transports') patterns.push({ regex: '^(\\.\\./)+wire/(?!framer\\.js$)', message: 'Transports know frames, not messages.' });
  return { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] };
};

const timers = ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'];
const noGlobals = (names, message) => ({ 'no-restricted-globals': ['error', ...names.map((name) => ({ name, message }))] });
const injected = [
  { object: 'Date', property: 'now', message: 'Time comes from the injected clock.' },
  { object: 'performance', property: 'now', message: 'Time comes from the injected clock.' },
  { object: 'Math', property: 'random', message: 'Randomness is injected.' },
];
const noDefaultExport = { selector: 'ExportDefaultDeclaration', message: 'No default exports: a name is the same everywhere.' };
const noDate = { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Time comes from the injected clock.' };

export default tseslint.config(
  { ignores: ['dist/', 'coverage/', 'node_modules/', '**/*.cjs', 'eslint.config.js'] },
  {
    files: ['**/*.ts'],
    languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { '@typescript-eslint': tseslint.plugin },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-for-in-array': 'error',
      '@typescript-eslint/no-implied-eval': 'error',
      '@typescript-eslint/no-non-null-asserted-optional-chain': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'none' }],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/restrict-plus-operands': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      'eqeqeq': 'error',
      'no-constant-condition': ['error', { checkLoops: false }],
      'no-empty': ['error', { allowEmptyCatch: false }],
      'no-restricted-syntax': ['error', noDefaultExport],
      'no-self-compare': 'error',
      'no-unreachable': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  ...Object.keys(mayImport).map((folder) => ({ files: [`${folder}/**/*.ts`], rules: importRules(folder) })),
  { files: Object.keys(mayImport).map((folder) => `${folder}/**/*.ts`), rules: { 'no-console': 'error' } },
  {
    files: pure.map((folder) => `${folder}/**/*.ts`),
    rules: {
      ...noGlobals([...timers, 'queueMicrotask', 'performance', 'process', 'crypto', 'fetch'], 'Pure folders do no I/O and own no clock.'),
      'no-restricted-properties': ['error', ...injected],
      'no-restricted-syntax': ['error', noDefaultExport, noDate],
    },
  },
  {
    files: ['actors/**/*.ts', 'transports/**/*.ts'],
    ignores: ['actors/environment.ts', 'transports/node.ts'], // where the real clock and the real randomness come in
    rules: {
      ...noGlobals(timers, 'Time comes from the injected clock.'),
      'no-restricted-properties': ['error', ...injected],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      ...noGlobals(timers, 'No test sleeps: wait for an event, or turn the simulated clock.'),
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [{ regex: '^(node:)?timers/promises$', message: 'No test sleeps.' }] }],
    },
  },
);
