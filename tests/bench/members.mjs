// Members for measurements: names as they are spread in an English-speaking country, deterministic by number.
//   members.mjs COUNT > members.csv
// First names and surnames come from the short lists below, drawn by Zipf's law (exponent 1 over the list): the most
// frequent of 160 first names belongs to 18 % of the members, the rarest to 0.1 %; "john smith" is some 2.5 % of all.
// That is more alike than people are, so harder for a search. Every third surname gets a second one ("smith-jones").
// Addresses are first.last with a number, phones Australian mobiles in three spellings, card numbers 12 digits.
import { createWriteStream } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { zipf } from './requests.mjs';

const FIRST = `john mary james david sarah michael emma robert anna peter laura thomas julia daniel linda paul karen mark
susan george lisa andrew helen kevin nancy brian betty steven sandra edward ashley jason donna matthew carol gary michelle
anthony emily kenneth amanda joshua melissa eric deborah stephen stephanie ryan rebecca jacob sharon nicholas cynthia
jonathan kathleen justin amy larry angela scott shirley brandon brenda benjamin pamela samuel nicole gregory katherine
frank samantha alexander christine raymond catherine patrick virginia jack debra dennis rachel jerry janet tyler carolyn
aaron maria jose heather adam diane nathan julie henry joyce zachary victoria douglas kelly ethan christina walter joan
noah evelyn jeremy lauren christian judith keith olivia roger frances terry martha austin cheryl sean megan gerald andrea
carl hannah harold jacqueline dylan ann arthur jean lawrence alice jordan kathryn jesse gloria bryan teresa billy doris
bruce sara gabriel janice joe marie logan julio alan grace juan judy wayne abigail elijah roy zoë ralph renée søren`.split(/\s+/);
const LAST = `smith jones williams brown wilson taylor johnson white martin anderson thompson nguyen thomas walker harris lee
ryan robinson kelly king davis wright evans roberts green hall wood jackson clarke patel khan lewis james phillips mitchell
chan singh li wang zhang chen liu scott turner hill moore clark murphy baker edwards cooper hughes watson young morris ward
carter campbell kaur bennett collins cook richardson bailey murray bell kennedy miller shaw graham parker stewart ross
morgan cox gray russell reid marshall kent fraser hamilton gibson ellis simpson foster mason hunt palmer matthews chapman
rogers davies o'brien o'connor o'neill mcdonald macdonald mckenzie stevens henderson knight butler barnes fisher webb
jenkins perry powell sullivan lloyd price butcher harvey spencer lawson walsh burke doyle byrne nolan quinn reilly daly
dunn fox hart field lane rose dean frost stone banks brooks rivers forest lake marsh moss heath woods park hills dale
garcia martinez lopez gonzalez rodriguez hernandez perez sanchez ramirez torres silva santos ferreira pereira oliveira
rossi russo ferrari esposito bianchi romano muller schmidt schneider fischer weber meyer wagner becker hoffmann schulz
kowalski nowak wisniewski wojcik lewandowski ivanov petrov sidorov smirnov popov tanaka suzuki sato takahashi watanabe
kim park lim choi jung haddad khoury saleh hussein ahmed ali hassan mohamed ibrahim yilmaz kaya demir sahin öztürk
jensen nielsen hansen pedersen andersen larsen johansson eriksson karlsson nilsson lindberg bergstrom holm dahl strand`.split(/\s+/);
const DOMAINS = ['example.com', 'mail.example', 'post.example.net', 'office.example.org'];

const plain = (name) => name.normalize('NFKD').replace(/[^a-z]/g, '');
const capital = (name) => name[0].toUpperCase() + name.slice(1);

/** member(i) for i = 0, 1, 2 ... in this order: names are drawn one after another. */
export function memberSource(seed = 7) {
  const first = zipf(FIRST.length, seed), last = zipf(LAST.length, seed + 1);
  return (i) => {
    const given = FIRST[first()];
    const family = i % 3 === 2 ? `${LAST[last()]}-${LAST[last()]}` : LAST[last()];
    const spread = (i * 48_271) % 99_999_989; // so that numbers do not come in the order of ids
    const digits = String(10_000_000 + spread).slice(-8);
    const phone = i % 3 === 0 ? `+61 4${digits.slice(0, 2)} ${digits.slice(2, 5)} ${digits.slice(5)}`
      : i % 3 === 1 ? `04${digits}` : `04${digits.slice(0, 2)}-${digits.slice(2, 5)}-${digits.slice(5)}`;
    return { first_name: capital(given), last_name: family.split('-').map(capital).join('-'),
      email: `${plain(given)}.${plain(family)}${i % 7 === 0 ? '' : i}@${DOMAINS[i % DOMAINS.length]}`, phone,
      code: `C${1_000_000 + i}`, card_number: `6036${digits}`, points: i % 10 === 0 ? 100 + (i % 900) : 0,
      tier: i % 20 === 0 ? 'Gold' : '' };
  };
}

export const COLUMNS = ['first_name', 'last_name', 'email', 'phone', 'code', 'points', 'card_number', 'tier'];
export async function writeCsv(stream, count) {
  const member = memberSource();
  stream.write(`${COLUMNS.join(',')}\r\n`);
  for (let i = 0, part = ''; i < count; i++) {
    const row = member(i);
    part += `${COLUMNS.map((name) => row[name]).join(',')}\r\n`;
    if (part.length < 1 << 16 && i < count - 1) continue;
    if (!stream.write(part)) await new Promise((drained) => stream.once('drain', drained));
    part = '';
  }
}
export async function writeCsvFile(file, count) {
  const stream = createWriteStream(file);
  await writeCsv(stream, count);
  await new Promise((done) => stream.end(done));
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  await writeCsv(process.stdout, Number(process.argv[2] ?? 1000));
