import { brotliCompressSync, constants } from "node:zlib";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { type Plugin, defineConfig } from "vite";

/** Writes each text file compressed beside itself, so that the gateway compresses nothing. */
function brotli(): Plugin {
  return {
    name: "brotli",
    apply: "build",
    enforce: "post",
    generateBundle(_, bundle) {
      for (const file of Object.values(bundle)) {
        if (!/\.(js|css|html|svg)$/.test(file.fileName)) continue;
        const source = file.type === "chunk" ? file.code : file.source;
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
        this.emitFile({ type: "asset", fileName: `${file.fileName}.br`, source: brotliCompressSync(source, { params }) });
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), brotli()],
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 900 },
  server: { proxy: { "/api": "http://127.0.0.1:4000" } },
});
