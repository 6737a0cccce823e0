#!lua flags=allow-oom
-- Gives a worker the next task: of the first class that has any, the flow with the least virtual time (higher
-- priorities first), its first task. The same token again gives the same task.
-- KEYS: 1 meta. ARGV: 1 worker, 2 token, 3 lease in ms, 4… classes, preferred first.
-- Returns {request, index, tenant, spec, attempt, result of the prepare task or ""}, or nil when nothing is ready.
--!include farm.lua
--!include task.lua
local worker, token, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function answer(r, index, t)
  local opener = t.blocked_by ~= '' and task(r, t.blocked_by)
  return {r.id, index, r.tenant, r.spec, t.attempts, opener and opener.result or ''}
end

local held = call('HGET', P .. 'tokens', token)
if held then
  local index, id = string.match(held, '^(%d+):(.*)$')
  local r = request(id)
  local t = r and task(r, index)
  if t and owns(t, token) then return answer(r, index, t) end
end

for i = 4, #ARGV do
  local class = ARGV[i]
  local flows = P .. 'flows:' .. class
  while true do
    local first = call('ZRANGE', flows, 0, 0, 'WITHSCORES')
    if not first[1] then break end
    local flow, score = first[1], tonumber(first[2])
    local ready = P .. 'ready:' .. class .. ':' .. flow
    local next = call('ZRANGE', ready, 0, 1)
    local index = next[1]
    local r = request(string.match(flow, ':(.*)$'))
    local t = r and index and task(r, index)
    if index then call('ZREM', ready, index) end
    if t and t.state == 'Q' and r.state == 'A' then
      local start = score + r.priority * BAND
      call('HSET', P .. 'clock', class .. ':' .. r.priority, start)
      if next[2] then
        call('ZADD', flows, score + tonumber(t.cost), flow)
      else
        call('ZREM', flows, flow)
        r.extra = {'vt:' .. class, start + tonumber(t.cost)}
      end
      t.worker, t.token, t.attempts = worker, token, string.format('%d', t.attempts + 1)
      step(r, index, t, 'R')
      call('ZADD', P .. 'leases', now() + lease, token)
      call('HSET', P .. 'tokens', token, index .. ':' .. r.id)
      save(r)
      return answer(r, index, t)
    end
    if not next[2] then call('ZREM', flows, flow) end
  end
end

-- Nothing is ready, so wake-ups still waiting in these classes are stale.
for i = 4, #ARGV do call('UNLINK', P .. 'wake:' .. ARGV[i]) end
return nil
