import { createClient, Refused } from "@eligibility/web";
import type { Action, Message, Placement } from "@eligibility/web";
import { here } from "../pictures.mjs";
import type { Config, Shown } from "./page.js";

/** How the placements of the demo shop look. */
const looks: Record<number, string> = { 101: "banner", 102: "card", 105: "notification" };

/** Shows the messages of a user with our own client until the returned function is called. */
export function showOwn(root: HTMLElement, config: Config, userId: string, shown: Shown): () => void {
  const client = createClient({ url: config.url, key: config.key, gather: config.gather, userId });
  let boxes = new Map<string, HTMLElement>();
  let last: string | undefined;

  const follow = ({ type, data }: Action, id: string) => {
    client.click(id).catch((fault) => shown.say(`click: ${reason(fault)}`));
    shown.say(`would go to ${type === "openUrl" ? data : type}`);
  };

  const draw = ({ content, messageId }: Message, look: string): HTMLElement => {
    const box = make("article", `message ${look}`);
    if (content.mediaUrl) {
      const picture = make("img", "");
      picture.src = here(content.mediaUrl);
      picture.alt = content.mediaUrlCaption ?? "";
      box.append(picture);
    }
    const words = make("div", "words");
    words.append(make("strong", "", content.title));
    if (content.body) words.append(make("p", "", content.body));
    for (const { title, action } of content.buttons ?? []) {
      const button = make("button", "tap", title);
      button.addEventListener("click", () => action && follow(action, messageId));
      words.append(button);
    }
    const away = make("button", "away", "×");
    away.title = "Put away";
    away.addEventListener("click", () => {
      box.remove(); // for now: whether it comes back is the rule's affair
      client.dismiss(messageId).catch((fault) => shown.say(`dismiss: ${reason(fault)}`));
    });
    box.append(words, away);
    return box;
  };

  // What was shown already stays as it is, what is not in the answer goes.
  const render = (placements: Placement[]) => {
    const before = boxes;
    boxes = new Map();
    for (const place of root.querySelectorAll<HTMLElement>("[data-placement]")) {
      const placement = Number(place.dataset.placement);
      place.replaceChildren(...(placements.find((p) => p.placement === placement)?.messages ?? []).map((message) => {
        const key = `${message.messageId}/${message.revision}`;
        const known = before.get(key);
        const box = known ?? draw(message, looks[placement] ?? "card");
        if (!known) client.impression(message.messageId);
        boxes.set(key, box);
        return box;
      }));
    }
    const titles = placements.flatMap((p) => p.messages.map((m) => m.content.title));
    if (titles.join() !== last) shown.changed(titles);
    last = titles.join();
  };

  const placements = Object.keys(looks).map(Number);
  client.watch({ placements }, render, (fault) => shown.say(reason(fault)));
  return () => void client.close();
}

function make<K extends keyof HTMLElementTagNameMap>(tag: K, className: string, text = ""): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text; // never as HTML: the words are the promotion's author's
  return element;
}

const reason = (fault: unknown) => (fault instanceof Refused ? `refused: ${fault.code}` : String(fault));
