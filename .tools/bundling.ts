import type { BuildOptions, Plugin } from 'esbuild';

/** zod's messages in sixty languages are an eighth of the program, and only the English ones are ever asked for. */
const englishOnly: Plugin = {
  name: 'english-only',
  setup: (build) => {
    build.onLoad({ filter: /zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

/**
 * How the program and the extension are bundled. Names are not kept: that would cost a call for each closure that is
 * made, 4 % of the engine's CPU and a tenth of its memory.
 */
export const BUNDLING: BuildOptions = {
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'cjs',
  minify: true,
  define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
  plugins: [englishOnly],
};
