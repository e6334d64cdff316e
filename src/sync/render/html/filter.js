(function(){
var tools=document.getElementById("tools"),list=document.getElementById("list"),said=document.getElementById("said");
if(!tools||!list)return;
var rows=Array.prototype.map.call(list.children,function(row){return{row:row,text:row.textContent.toLowerCase(),kind:row.className}});
function show(){
var kinds=tools.elements.kind,kind=kinds?kinds.value:"all",words=tools.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean),n=0;
rows.forEach(function(one){
var fits=(kind==="all"||one.kind===kind)&&words.every(function(word){return one.text.indexOf(word)>=0});
one.row.hidden=!fits;if(fits)n++});
said.textContent=n===rows.length?"":n.toLocaleString("en")+" of "+rows.length.toLocaleString("en")+" shown"}
tools.addEventListener("input",show);
tools.addEventListener("submit",function(event){event.preventDefault()});
tools.addEventListener("reset",function(){setTimeout(show)});
tools.hidden=false;
})();
