export default {
  esbuild: { jsx: "automatic" },
  // Axios and React speak to whatever browser the stories find.
  build: { target: "es2022", outDir: "dist" },
};
