#!lua flags=allow-oom
-- Ends a task for the worker whose token owns it, once.
-- KEYS: 1 meta. ARGV: 1 request, 2 index, 3 token, 4 ended state (a letter of task.lua), 5 result or "", 6 reason or "".
-- Returns COMMITTED, ALREADY, CANCELLED or FENCED (commit_task.lua).
--!include farm.lua
--!include task.lua
--!include note.lua
--!include commit_task.lua
local outcome = commit_task(unpack(ARGV))
flush()
return outcome
