// tus-js-client sends a file: `node tus_client.mjs MODULE ADDRESS TOKEN FILE [STOP_AFTER]`. It prints
// the addresses it learnt; with STOP_AFTER it breaks off after so many bytes, and then goes on anew.
import { createReadStream, statSync } from "node:fs";
import { createRequire } from "node:module";

const [, , module, endpoint, token, file, stopAfter] = process.argv;
const { Upload } = createRequire(import.meta.url)(module);
const size = statSync(file).size;

const send = (options) =>
  new Promise((resolve, reject) => {
    let location;
    const upload = new Upload(createReadStream(file), {
      endpoint,
      uploadSize: size,
      chunkSize: 65536,
      retryDelays: [0, 1000, 3000, 5000],
      headers: { Authorization: `Bearer ${token}` },
      metadata: { filename: "../Grüße aus_Rom.mp4", filetype: "video/mp4" },
      onAfterResponse: (request, response) => {
        location = response.getHeader("Video-Location") ?? location;
      },
      onProgress: (sent) => {
        if (options.stopAfter && sent >= options.stopAfter) {
          options.stopAfter = 0;
          upload.abort().then(() => resolve({ url: upload.url, location }));
        }
      },
      onError: reject,
      onSuccess: () => resolve({ url: upload.url, location }),
      ...options.more,
    });
    upload.start();
  });

let found = await send({ stopAfter: Number(stopAfter ?? 0) });
if (stopAfter) {
  found = await send({ more: { uploadUrl: found.url } });
}
console.log(JSON.stringify(found));
