// Runs a program that believes itself to be nobody's: as-nobody.mjs PATH
process.getuid = () => 65534;
await import(new URL(`../../${process.argv[2]}`, import.meta.url));
