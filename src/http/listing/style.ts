/** The style sheet of a listing. @module */

/** CSS with light and dark colours, by the reader's setting. */
export const STYLE: string = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5d6b7e;--line:#e3e8ef;--paper:#fff;--hover:#f2f6fc;
--accent:#0b6bcb;--folder:#e0a100;--image:#2e9e6b;--video:#c2410c;--audio:#9333ea;--code:#0b6bcb;--archive:#a16207}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf2;--soft:#93a1b5;--line:#2a3442;--paper:#12171e;
--hover:#1b232e;--accent:#62aefc;--folder:#f2c14e;--image:#5fd3a0;--video:#fb923c;--audio:#c08bfa;--code:#62aefc;--archive:#e0b252}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.25rem 1rem 3rem}
header{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:center;margin-bottom:.75rem}
h1{flex:1;min-width:12rem;margin:0;font-size:1.25rem;font-weight:600;overflow-wrap:anywhere}
h1 a{color:inherit;text-decoration:none}h1 a:hover{color:var(--accent);text-decoration:underline}h1 a[aria-current]{color:var(--ink)}h1 a:not([aria-current]){color:var(--soft)}h1 i{color:var(--soft);font-style:normal;padding:0 .15em}
input{font:inherit;color:inherit;background:var(--hover);border:1px solid var(--line);border-radius:.5rem;
padding:.35rem .7rem;width:15rem;max-width:100%}
::placeholder{color:var(--soft);opacity:1}
table{width:100%;border-collapse:collapse}
th{text-align:left;font-weight:500;color:var(--soft);font-size:.85rem;padding:.35rem .5rem;border-bottom:1px solid var(--line)}
th a{color:inherit;text-decoration:none;white-space:nowrap}th a:hover{color:var(--accent)}
th[aria-sort] a{color:var(--ink)}
th[aria-sort=ascending] a::after{content:" \\2191"}th[aria-sort=descending] a::after{content:" \\2193"}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:.25rem}
#keys{font:inherit;color:var(--soft);background:var(--hover);border:1px solid var(--line);border-radius:.5rem;width:2.2rem;padding:.35rem 0;cursor:pointer}
td{padding:0 .5rem;border-bottom:1px solid var(--line);height:2.4rem}
tr:hover td{background:var(--hover)}
td:first-child{width:100%;scroll-margin:4rem}td:first-child a{display:flex;gap:.65rem;align-items:center;padding:.45rem 0;color:inherit;
text-decoration:none;overflow-wrap:anywhere}
td a:hover bdi{color:var(--accent);text-decoration:underline}
.n{text-align:right;white-space:nowrap;color:var(--soft);font-variant-numeric:tabular-nums}
td img{flex:none;margin:-.3rem 0;width:2rem;height:2rem;object-fit:cover;border-radius:.3rem;background:var(--hover)}
.i{flex:none;width:2rem;height:1.35rem;fill:none;stroke:var(--soft);stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round}
.i.folder{stroke:var(--folder);fill:color-mix(in srgb,var(--folder) 22%,transparent)}
.i.image{stroke:var(--image)}.i.video{stroke:var(--video)}.i.audio{stroke:var(--audio)}.i.code{stroke:var(--code)}.i.archive{stroke:var(--archive)}
nav{margin-top:1rem;display:flex;gap:1rem;justify-content:center;align-items:baseline;color:var(--soft)}nav a{color:var(--accent);padding:.35rem .2rem}nav span{padding:.35rem 0}
footer{margin-top:1rem;color:var(--soft);font-size:.85rem;display:flex;justify-content:space-between;gap:1rem;flex-wrap:wrap}
#preview{border:0;padding:0;background:transparent;max-width:94vw;max-height:94vh;color:#fff;text-align:center}
#help{border:1px solid var(--line);border-radius:.8rem;padding:1.25rem 1.5rem;background:var(--paper);color:var(--ink);max-width:min(30rem,92vw)}
#help h2{margin:0 0 .75rem;font-size:1.05rem}
#help dl{display:grid;grid-template-columns:auto 1fr;gap:.5rem 1rem;margin:0 0 1rem}#help dt{white-space:nowrap}#help dd{margin:0;color:var(--soft)}
kbd{font:inherit;font-size:.85rem;background:var(--hover);border:1px solid var(--line);border-bottom-width:2px;border-radius:.35rem;padding:.05rem .4rem}
#help button{font:inherit;color:inherit;background:var(--hover);border:1px solid var(--line);border-radius:.5rem;padding:.35rem .9rem;cursor:pointer}
dialog::backdrop{background:#000c}
#preview img,#preview video{max-width:94vw;max-height:86vh;border-radius:.4rem;background:#0006}
#preview audio{width:min(32rem,90vw)}
#preview p{margin:.5rem 0 0;overflow-wrap:anywhere}
#preview a{color:#fff}
@media (max-width:40rem){.d{display:none}header input{flex:1}h1{flex-basis:100%}td{padding:0 .25rem}}
@media (hover:none){#keys{display:none}}
[hidden]{display:none!important}
`.replaceAll("\n", "");
