#!lua flags=allow-oom
-- Forgets an ended request at once. KEYS: 1 meta. ARGV: 1 request.
-- Returns DELETED (also when it was not there), or OPEN: tasks of it have not ended.
--!include farm.lua
--!include task.lua
--!include leave.lua
--!include waiters.lua
--!include drop.lua
local r = request(ARGV[1])
if r and r.open > 0 then return 'OPEN' end
drop(ARGV[1])
return 'DELETED'
