/** The script of a listing: search, sorting, previews. @module */

/**
 * Runs in the browser. Without it, the page is a sorted list of links. Inserts names as text only,
 * never as HTML.
 */
export const SCRIPT: string = String.raw`
const $=(s,r=document)=>r.querySelector(s),rows=[...document.querySelectorAll("tbody tr[data-k]")],body=$("tbody");
const find=$("input");find.hidden=false;
const none=$("#none");
find.oninput=()=>{const q=find.value.toLowerCase().trim();let n=0;
for(const r of rows){r.hidden=!r.cells[0].textContent.toLowerCase().includes(q);n+=!r.hidden}none.hidden=n>0||!rows.length};
addEventListener("keydown",e=>{if(e.key==="/"&&e.target===document.body){e.preventDefault();find.focus()}
if(e.key==="Escape"&&e.target===find){find.value="";find.oninput()}});
const by=[(a,b)=>a.n-b.n,(a,b)=>a.s-b.s,(a,b)=>a.t-b.t];
const keyed=rows.map((r,n)=>({r,n,s:+r.dataset.s,t:+r.dataset.t,f:r.dataset.k==="folder"}));
document.querySelectorAll("th").forEach((th,i)=>{const b=document.createElement("button");b.textContent=th.textContent;
th.replaceChildren(b);b.onclick=()=>{const up=th.getAttribute("aria-sort")!=="ascending";
document.querySelectorAll("th").forEach(o=>o.removeAttribute("aria-sort"));
th.setAttribute("aria-sort",up?"ascending":"descending");
keyed.sort((a,b)=>b.f-a.f||(up?1:-1)*by[i](a,b)||a.n-b.n);body.append(...keyed.map(k=>k.r))}});
for(const t of document.querySelectorAll("time"))t.textContent=new Date(t.dateTime).toLocaleString(undefined,{dateStyle:"medium",timeStyle:"short"});
const box=$("dialog");let at;
function show(r){if(!r)return;at=r;const a=$("a",r),k=r.dataset.k,m=document.createElement(k==="image"?"img":k);
if(k!=="image")m.controls=m.autoplay=true;m.src=a.href;m.alt="";
const p=document.createElement("p"),l=document.createElement("a");l.href=a.href;l.textContent=a.textContent;p.append(l);
box.replaceChildren(m,p);if(!box.open)box.showModal()}
const shown=()=>[...body.rows].filter(r=>!r.hidden&&/^(image|video|audio)$/.test(r.dataset.k));
body.onclick=e=>{const a=e.target.closest("a"),r=a&&a.closest("tr");
if(!r||e.ctrlKey||e.metaKey||e.shiftKey||!/^(image|video|audio)$/.test(r.dataset.k))return;e.preventDefault();show(r)};
box.onclick=e=>{if(e.target===box||e.target.tagName==="IMG")box.close()};
box.onclose=()=>box.replaceChildren();
box.onkeydown=e=>{const d={ArrowRight:1,ArrowLeft:-1}[e.key];if(!d||e.target.tagName==="VIDEO")return;const l=shown();show(l[l.indexOf(at)+d])};
`.trim();
