// A picture of a film out of the file itself, before anything is sent.

/** An image of a frame from the file, or null where this browser cannot play it. */
export async function filmPicture(file) {
  const address = URL.createObjectURL(file);
  const video = document.createElement("video");
  try {
    video.muted = true;
    video.preload = "auto";
    video.src = address;
    await happens(video, "loadeddata");
    if (!video.videoWidth) return null; // only its sound can be played here
    video.currentTime = Math.min(video.duration * 0.1 || 0, 10);
    await happens(video, "seeked");
    const canvas = document.createElement("canvas");
    const scale = Math.min(1, 480 / video.videoWidth);
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const image = new Image();
    image.alt = "";
    image.dataset.own = "";
    image.src = canvas.toDataURL("image/jpeg", 0.8);
    return image;
  } catch {
    return null;
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(address);
  }
}

function happens(target, name) {
  return new Promise((resolve, reject) => {
    const timer = window.setTimeout(() => reject(new Error("too slow")), 8000);
    target.addEventListener(name, () => (window.clearTimeout(timer), resolve()), { once: true });
    target.addEventListener("error", () => (window.clearTimeout(timer), reject(new Error("unreadable"))), { once: true });
  });
}
