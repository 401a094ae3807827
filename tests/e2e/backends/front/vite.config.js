export default {
  esbuild: { jsx: "automatic" },
  // Axios and React run in each browser that the scenarios find.
  build: { target: "es2022", outDir: "dist" },
};
