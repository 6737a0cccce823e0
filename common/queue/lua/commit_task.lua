-- Ends a task for the worker whose token owns it, once. `to`: a letter of task.lua. Returns COMMITTED; ALREADY when this token
-- ended it before; CANCELLED; or FENCED when the task is another's, or gone.
local function commit_task(id, index, token, to, result, reason)
  local r = request(id, index)
  local t = r and task(r, index)
  if not t then return 'FENCED' end
  if ENDED[t.state] and t.token == token then return 'ALREADY' end
  if t.state == 'C' or r.state == 'C' then return 'CANCELLED' end
  if not owns(t, token) then return 'FENCED' end
  release(token)
  if to == 'F' and tonumber(t.attempts) > 1 then note(r, index, t, reason) end
  finish(r, index, t, to, result, reason)
  return 'COMMITTED'
end
