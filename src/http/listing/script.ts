/** The script of a listing: filter, keyboard, times, previews. @module */

/**
 * Runs in the browser. Without it, the page is a sorted list of links. Inserts names as text only,
 * never as HTML.
 */
export const SCRIPT: string = String.raw`
const $=(s,r=document)=>r.querySelector(s),$$=s=>[...document.querySelectorAll(s)],body=$("tbody"),rows=$$("tbody tr[data-k]");
const find=$("input[type=search]"),none=$("#none"),keys=$("#keys"),help=$("#help"),box=$("#preview");
find.hidden=keys.hidden=false;
const filter=()=>{const q=find.value.toLowerCase().trim();let n=0;
for(const r of rows){r.hidden=!r.cells[0].textContent.toLowerCase().includes(q);n+=!r.hidden}none.hidden=n>0||!rows.length};
find.oninput=filter;if(find.value)filter();
const links=()=>[...body.rows].filter(r=>!r.hidden).map(r=>$("a",r));
const focus=to=>{const l=links(),n=l.indexOf(document.activeElement);const a=l[to(n,l.length)];if(a)a.focus()};
const moves={ArrowDown:n=>n+1,ArrowUp:n=>n-1,Home:()=>0,End:(n,l)=>l-1};
addEventListener("keydown",e=>{if(e.ctrlKey||e.metaKey||e.altKey||$("dialog[open]"))return;const k=e.key,inside=e.target===find;
if(!inside&&/^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName))return;
if(inside){if(k==="Escape"){find.value="";filter();find.blur()}
else if(k==="ArrowDown"){e.preventDefault();links()[0]?.focus()}
else if(k==="Enter"){const r=rows.find(r=>!r.hidden);if(r&&find.value.trim())$("a",r).click()}
return}
if(k==="/")find.focus();
else if(k==="?")help.showModal();
else if(k==="Backspace"){const a=$('tbody a[href="../"]');if(!a)return;a.click()}
else if(k==="ArrowUp"&&document.activeElement===links()[0])find.focus();
else if(moves[k])focus(moves[k]);
else return;
e.preventDefault()});
keys.onclick=()=>help.showModal();
$("button",help).onclick=()=>help.close();
help.onclick=e=>{if(e.target===help)help.close()};
const U=[["year",31557600],["month",2629800],["week",604800],["day",86400],["hour",3600],["minute",60]];
const ago=new Intl.RelativeTimeFormat("en",{numeric:"auto"});
const times=()=>{for(const t of $$("time")){const d=new Date(t.dateTime),s=(d-Date.now())/1000,u=U.find(u=>Math.abs(s)>=u[1]);
t.title=d.toLocaleString(undefined,{dateStyle:"full",timeStyle:"short"});
t.textContent=u?ago.format(Math.trunc(s/u[1]),u[0]):"just now"}};
times();setInterval(times,6e4);
addEventListener("error",e=>{const i=e.target;if(i.tagName==="IMG"&&i.loading==="lazy"){const s="http://www.w3.org/2000/svg",v=document.createElementNS(s,"svg"),u=document.createElementNS(s,"use");
v.setAttribute("class","i image");v.setAttribute("aria-hidden","true");u.setAttribute("href","#i-image");v.append(u);i.replaceWith(v)}},true);
let at;
function show(r){if(!r)return;at=r;const a=$("a",r),k=r.dataset.k,m=document.createElement(k==="image"?"img":k);
if(k!=="image")m.controls=m.autoplay=true;else m.alt=a.textContent;m.src=a.href;
const p=document.createElement("p"),l=document.createElement("a");l.href=a.href;l.textContent=a.textContent;p.append(l);
box.replaceChildren(m,p);if(!box.open)box.showModal()}
const shown=()=>[...body.rows].filter(r=>!r.hidden&&/^(image|video|audio)$/.test(r.dataset.k));
body.onclick=e=>{const a=e.target.closest("a"),r=a&&a.closest("tr");
if(!r||a!==$("a",r)||e.ctrlKey||e.metaKey||e.shiftKey||!/^(image|video|audio)$/.test(r.dataset.k))return;e.preventDefault();show(r)};
box.onclick=e=>{if(e.target===box||e.target.tagName==="IMG")box.close()};
box.onclose=()=>{box.replaceChildren();if(at)$("a",at).focus()};
box.onkeydown=e=>{const d={ArrowRight:1,ArrowLeft:-1}[e.key];if(!d||/^(VIDEO|AUDIO)$/.test(e.target.tagName))return;
const l=shown();show(l[l.indexOf(at)+d])};
`.trim();
