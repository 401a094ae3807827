export default {
  esbuild: { jsx: "automatic" },
  // Axios and React speak to whatever browser the scenarios find.
  build: { target: "es2022", outDir: "dist" },
};
