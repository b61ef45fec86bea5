// The page's elements, made and found. Text goes in as text: this is the only door to the document.

export const $ = (id) => document.getElementById(id);

/** Makes an element; strings among the children become text nodes, null and false are left out. */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name === 'class_' ? 'class' : name, value === true ? '' : value);
  }
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

const clock = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
});
const shortClock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const dayClock = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'short' });

/** 12:34:56.789 */
export const preciseTime = (date) => clock.format(date);

/** The hour and minute, with the day if it is not today. */
export function humanTime(date) {
  const today = date.toDateString() === new Date().toDateString();
  return (today ? shortClock : dayClock).format(date);
}

/** 712 B, 1.4 kB, 51 kB: three digits say enough. */
export function bytes(count) {
  if (count < 1000) return `${count} B`;
  const kilo = count / 1000;
  return `${kilo < 10 ? kilo.toFixed(1) : Math.round(kilo)} kB`;
}

/** True when a scrolling list stands at its end, so that new items may pull it along. */
export function atEnd(list) {
  return list.scrollHeight - list.scrollTop - list.clientHeight < 40;
}
