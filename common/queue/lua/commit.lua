#!lua flags=allow-oom
-- Ends a task for the worker whose token owns it, once.
-- KEYS: 1 meta. ARGV: 1 request, 2 index, 3 token, 4 ended state (a letter of task.lua), 5 result or "", 6 reason or "".
-- Returns COMMITTED; ALREADY when this token ended it before; CANCELLED; or FENCED when the task is another's, or gone.
--!include farm.lua
--!include task.lua
local index, token = ARGV[2], ARGV[3]
local r = request(ARGV[1])
local t = r and task(r, index)
if not t then return 'FENCED' end
if ENDED[t.state] and t.token == token then return 'ALREADY' end
if t.state == 'C' or r.state == 'C' then return 'CANCELLED' end
if not owns(t, token) then return 'FENCED' end
release(token)
if ARGV[4] == 'F' and tonumber(t.attempts) > 1 then note(r, index, t, ARGV[6]) end
finish(r, index, t, ARGV[4], ARGV[5], ARGV[6])
save(r)
return 'COMMITTED'
