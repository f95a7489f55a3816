// The pictures of the demo shop, whose own addresses exist nowhere: a drawing on a coloured ground for each promotion.
const gift = "M70 84h60v48H70z M64 70h72v16H64z M100 70v62 M100 70c-10-22-34-18-26-4 4 6 16 4 26 4z M100 70c10-22 34-18 26-4-4 6-16 4-26 4z";

const drawings = {
  "abandoned-cart": ["#f4a261", "#e76f51", "M56 62h12l12 46h44l12-34H74 M86 128a6 6 0 1 0 .1 0z M118 128a6 6 0 1 0 .1 0z"],
  "garden-affinity": ["#95d5b2", "#2d6a4f", "M100 140V96 M100 104c0-26-18-38-40-38 0 26 16 38 40 38z M100 94c0-22 14-34 38-36 0 24-14 36-38 36z"],
  "house-banner": ["#a8dadc", "#457b9d", "M62 98l38-32 38 32 M72 92v42h56V92 M92 134v-24h16v24"],
  "new-home-look": ["#cdb4db", "#7b5ea7", "M64 66h30v30H64z M106 66h30v30h-30z M64 108h30v30H64z M106 108h30v30h-30z"],
  "search-help": ["#ffd166", "#ef8e38", "M92 120a28 28 0 1 0-.1 0z M112 112l26 26"],
  "thanks-for-browsing": ["#ffafcc", "#c9577e", "M100 134C60 108 60 72 82 70c10 0 16 8 18 14 2-6 8-14 18-14 22 2 22 38-18 64z"],
  "vip-early-access": ["#f6d365", "#b5862b", "M100 62l12 26 28 3-21 19 6 28-25-14-25 14 6-28-21-19 28-3z"],
};

/** The address of a drawing in this page for an address of the demo shop; any other address as it is. */
export function here(url) {
  const name = /^https:\/\/shop\.example\/media\/([a-z0-9-]+)\.jpg$/.exec(url)?.[1];
  return name ? `/media/${name}.svg` : url;
}

/** Draws the picture of a promotion: a gift when there is none of its own. */
export function draw(name) {
  const [light, dark, path] = Object.hasOwn(drawings, name) ? drawings[name] : ["#bde0fe", "#4a7fb5", gift];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-60 20 320 160">
<defs><linearGradient id="g" x2="1" y2="1"><stop stop-color="${light}"/><stop offset="1" stop-color="${dark}"/></linearGradient></defs>
<path fill="url(#g)" d="M-60 20h320v160h-320z"/><g fill="#fff" fill-opacity=".13"><circle cx="10" cy="36" r="52"/><circle cx="206" cy="166" r="70"/></g>
<path fill="none" stroke="#fff" stroke-width="7" stroke-linecap="round" stroke-linejoin="round" d="${path}"/></svg>`;
}
