import {
  IterableConfig, IterableEmbeddedBanner, IterableEmbeddedCard, IterableEmbeddedManager, IterableEmbeddedNotification, initializeWithConfig,
} from "@iterable/web-sdk";
import type { IterableEmbeddedMessage } from "@iterable/web-sdk";
import { here } from "../pictures.mjs";
import type { Config, Shown } from "./page.js";

const looks = { 101: IterableEmbeddedBanner, 102: IterableEmbeddedCard, 105: IterableEmbeddedNotification } as const;
const appPackageName = "shop";

/**
 * The SDK starts in a page only with a token whose end it can read. The demo's key demands none and looks at none; a real app asks its backend,
 * which signs one for the user who is signed in.
 */
function nobodysToken(): string {
  const now = Math.floor(Date.now() / 1000);
  return [{ alg: "HS256", typ: "JWT" }, { iat: now, exp: now + 3600 }, {}].map((part) => btoa(JSON.stringify(part)).replace(/=+$/, "")).join(".");
}

/** Shows the messages of a user with Iterable's SDK, whose base address is ours, until the returned function is called. It asks when the app does. */
export function showSDK(root: HTMLElement, config: Config, userId: string, shown: Shown): () => void {
  const { setUserID, logout } = initializeWithConfig({
    authToken: config.key, configOptions: { baseURL: `${config.url}/api`, isEuIterableService: false }, generateJWT: async () => nobodysToken(),
  });
  IterableConfig.urlHandler = {
    handleIterableURL: (url) => {
      shown.say(`would go to ${url}`);
      return true; // the demo's addresses exist nowhere
    },
  };
  const manager = new IterableEmbeddedManager(appPackageName);
  let last: string | undefined;

  const render = () => {
    const places = Array.from(root.querySelectorAll<HTMLElement>("[data-placement]"), (place) => {
      const id = Number(place.dataset.placement) as keyof typeof looks;
      return { place, look: looks[id], messages: manager.getMessagesForPlacement(id).map(drawn) };
    });
    const now = JSON.stringify(places.map(({ messages }) => messages));
    if (now === last) return; // each call of a template gives the buttons on the page one more listener
    last = now;
    for (const { place, look, messages } of places) {
      place.innerHTML = messages.map((message) => look({ appPackageName, message })).join(""); // as the SDK's documentation does; own.ts never does
    }
    shown.changed(places.flatMap(({ messages }) => messages.map((message) => message.elements?.title ?? "")));
  };

  // When nothing at all is left the SDK keeps what it has; the banner of the house is always left.
  const sync = () => manager.syncMessages(appPackageName, render, [101, 102, 105]).catch((fault: unknown) => shown.say(String(fault)));
  let timer: ReturnType<typeof setInterval> | undefined;
  let stopped = false;
  void setUserID(userId).then(() => {
    if (stopped) return;
    void sync();
    timer = setInterval(() => void sync(), config.poll);
  }, (fault: unknown) => shown.say(String(fault)));
  return () => {
    stopped = true;
    clearInterval(timer);
    logout();
  };
}

/** The message with a drawing in place of the demo's picture. */
const drawn = (message: IterableEmbeddedMessage): IterableEmbeddedMessage =>
  message.elements?.mediaUrl ? { ...message, elements: { ...message.elements, mediaUrl: here(message.elements.mediaUrl) } } : message;
