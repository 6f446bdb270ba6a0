// What webpack or rspack of the Nest CLI make of an application: one minified file with the packed tarball in it.
const { join } = require('node:path');

module.exports = (options) => {
  const esm = options.experiments?.outputModule === true; // rspack, for an ES module
  return {
    ...options,
    mode: 'production',
    optimization: { minimize: true, nodeEnv: false },
    output: {
      ...options.output,
      path: join(__dirname, 'bundles'),
      filename: esm ? 'rspack.mjs' : 'webpack.cjs',
    },
    // Nest and ioredis stay outside, as the CLI does it with all packages; ours is bundled.
    externals: ({ request }, callback) =>
      /^(\.|\/|nestjs-distributed-lock)/.test(request)
        ? callback()
        : callback(null, `${esm ? 'module' : 'commonjs'} ${request}`),
    resolve: { ...options.resolve, extensionAlias: { '.js': ['.ts', '.js'] } },
    plugins: [],
  };
};
