/** The script that uploads files from a listing. @module */

/**
 * Runs in the browser. Sends one file after another by PUT to the folder that is shown, with progress, and
 * says in words what went wrong. Inserts names as text only, never as HTML.
 */
export const UPLOAD_SCRIPT: string = String.raw`
(()=>{const box=document.getElementById("up"),pick=box.querySelector("input"),list=box.querySelector("ul");
const most=+box.dataset.max,over="over" in box.dataset,queue=[];let busy=false,stored=0,failed=0;
box.hidden=false;box.querySelector("button").onclick=()=>pick.click();
pick.onchange=()=>{add([...pick.files]);pick.value=""};
const why={0:"The connection was lost.",400:"The server does not allow this name.",401:"You need to sign in.",
403:"You may not upload here, or not by this host name.",404:"The folder is gone.",408:"It took too long.",409:"A file or folder of this name exists.",
412:"A file of this name exists.",413:"The file is too large.",503:"The server is busy. Try again later.",507:"The disk is full."};
const files=e=>[...e.dataTransfer.types].includes("Files");let depth=0;
addEventListener("dragenter",e=>{if(files(e)){depth++;box.classList.add("over")}});
addEventListener("dragleave",e=>{if(files(e)&&--depth<=0){depth=0;box.classList.remove("over")}});
addEventListener("dragover",e=>{if(files(e))e.preventDefault()});
addEventListener("drop",e=>{if(!files(e))return;e.preventDefault();depth=0;box.classList.remove("over");
const found=[...e.dataTransfer.items].filter(i=>i.kind==="file").map(i=>{const n=i.webkitGetAsEntry?.();
const f=i.getAsFile();return n?.isDirectory?{name:n.name,folder:true}:f}).filter(Boolean);add(found)});
function add(all){for(const file of all){const li=document.createElement("li"),name=document.createElement("span"),
bar=document.createElement("progress"),note=document.createElement("span"),stop=document.createElement("button");
name.textContent=file.name;bar.max=1;bar.value=0;bar.setAttribute("aria-label","Upload of "+file.name);note.textContent="Waiting";
stop.type="button";stop.textContent="Cancel";stop.setAttribute("aria-label","Cancel "+file.name);
li.append(name,bar,note,stop);list.append(li);
const job={file,bar,note,stop,over:false,request:null,
end(text,bad){if(job.over)return;job.over=true;bar.remove();stop.remove();note.textContent=text;if(bad)failed++;
const at=queue.indexOf(job);if(at>=0)queue.splice(at,1)}};
stop.onclick=()=>{const r=job.request;job.end("Cancelled",true);r?.abort();box.querySelector("button").focus()};
if(file.folder)job.end("A folder cannot be uploaded.",true);
else if(file.size>most)job.end(why[413],true);else queue.push(job)}next()}
async function next(){if(busy)return;const job=queue.shift();
if(!job){if(stored&&!failed)location.reload();else if(stored&&!document.getElementById("again")){
const a=document.createElement("a");a.id="again";a.href="";a.textContent="Show the new files";box.append(a)}return}
busy=true;await send(job);busy=false;next()}
async function send(job){const url="./"+encodeURIComponent(job.file.name);
try{const r=await fetch(url,{method:"HEAD",cache:"no-store",redirect:"manual"});
if(job.over)return;
if(r.ok){if(!over)return job.end(why[409],true);
if(!confirm("Replace "+job.file.name+"?"))return job.end("Cancelled",true)}}catch{return job.end(why[0],true)}
await new Promise(done=>{const r=job.request=new XMLHttpRequest();r.open("PUT",url);
r.upload.onprogress=e=>{job.bar.value=e.total?e.loaded/e.total:1;job.note.textContent=Math.floor(job.bar.value*100)+" %"};
r.onload=()=>{if(r.status<300){stored++;job.end("Done")}else job.end(why[r.status]||"The server answered "+r.status+".",true);done()};
r.onerror=()=>{job.end(why[0],true);done()};r.onabort=()=>{job.end("Cancelled",true);done()};
r.setRequestHeader("Content-Type",job.file.type||"application/octet-stream");
if(!over)r.setRequestHeader("If-None-Match","*");r.send(job.file)})}
addEventListener("beforeunload",e=>{if(busy)e.preventDefault()})})()
`.trim();
