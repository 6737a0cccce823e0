#!lua flags=allow-oom
-- Gives a worker the next task: of its classes that have any the one whose turn is longest ago, of that the tenant with the
-- least virtual time, of its flows the one with the least (higher priorities first), its first task. What other workers
-- failed comes before all. The same token again gives the same task.
-- KEYS: 1 meta. ARGV: 1 worker, 2 token, 3 lease in ms, 4… classes.
-- Returns {request, index, tenant, spec, attempt, result of the prepare task or "", kills, class}, or nil when nothing is
-- ready.
--!include farm.lua
--!include task.lua
local worker, token, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])

local function answer(r, index, t)
  local opener = t.blocked_by ~= '' and task(r, t.blocked_by)
  return {r.id, index, r.tenant, r.spec, t.attempts, opener and opener.result or '', t.kills, t.class}
end

local function serve(r, index, t)
  t.worker, t.token, t.attempts = worker, token, string.format('%d', t.attempts + 1)
  step(r, index, t, 'R')
  call('ZADD', P .. 'leases', now() + lease, token)
  call('HSET', P .. 'tokens', token, index .. ':' .. r.id)
  save(r)
  return answer(r, index, t)
end

local held = call('HGET', P .. 'tokens', token)
if held then
  local index, id = string.match(held, '^(%d+):(.*)$')
  local r = request(id)
  local t = r and task(r, index)
  if t and owns(t, token) then return answer(r, index, t) end
end

-- A task that another worker failed, without a turn in its flow: it had one.
local function from_elsewhere(class)
  for _, member in ipairs(call('ZRANGE', P .. 'elsewhere:' .. class, 0, 7)) do
    local index, id = string.match(member, '^(%d+):(.*)$')
    local r = request(id)
    local t = r and task(r, index)
    if not t or t.state ~= 'D' or r.state ~= 'A' then
      call('ZREM', P .. 'elsewhere:' .. class, member)
    elseif t.worker ~= worker then
      undelay(r, index, t)
      return serve(r, index, t)
    end
  end
  if call('EXISTS', P .. 'elsewhere:' .. class) == 0 then call('ZREM', P .. 'live', '!' .. class) end
end

local function from_flows(class)
  local tenants = P .. 'tenants:' .. class
  while true do
    local first_tenant = call('ZRANGE', tenants, 0, 1, 'WITHSCORES')
    local tenant = first_tenant[1]
    if not tenant then
      call('ZREM', P .. 'live', class)
      return nil
    end
    local flows = P .. 'flows:' .. class .. ':' .. tenant
    local first = call('ZRANGE', flows, 0, 1, 'WITHSCORES')
    if not first[1] then
      call('HSET', P .. 'clock', class, first_tenant[2])
      call('ZREM', tenants, tenant)
    else
      local id, score = first[1], tonumber(first[2])
      local ready = P .. 'ready:' .. class .. ':' .. id
      local next = call('ZRANGE', ready, 0, 1)
      local index = next[1]
      local r = request(id)
      local t = r and index and task(r, index)
      if index then call('ZREM', ready, index) end
      if not next[2] then call('ZREM', flows, id) end
      if t and t.state == 'Q' and r.state == 'A' then
        local key, cost = P .. 'tenant:' .. tenant, tonumber(t.cost)
        local start, tenant_start = score + r.priority * BAND, tonumber(first_tenant[2])
        local tenant_end = tenant_start + cost / tonumber(call('HGET', key, 'w') or 1)
        -- The last flow of a priority, and the last tenant, leave their time behind for those that come.
        if next[2] then
          call('ZADD', flows, score + cost, id)
        else
          r.extra = {'vt:' .. class, start + cost}
          if not first[4] or tonumber(first[4]) >= BAND - r.priority * BAND then
            call('HSET', key, 'c:' .. class .. ':' .. r.priority, start + cost)
          end
        end
        if next[2] or first[3] then
          call('ZADD', tenants, tenant_end, tenant)
        else
          call('HSET', key, 'vt:' .. class, tenant_end)
          call('ZREM', tenants, tenant)
          if not first_tenant[3] then call('HSET', P .. 'clock', class, tenant_end) end
        end
        return serve(r, index, t)
      end
    end
  end
end

local offered = {}
for i = 4, #ARGV do offered[ARGV[i]] = true end
local live = call('ZRANGE', P .. 'live', 0, -1)
for _, name in ipairs(live) do
  local failed = string.match(name, '^!(.*)')
  local served
  if failed and offered[failed] then
    served = from_elsewhere(failed)
  elseif offered[name] then
    served = from_flows(name)
    if served and #live > 1 then go_last(name) end
  end
  if served then return served end
end

-- Nothing is ready, so wake-ups still waiting in these classes are stale.
local stale = {}
for i = 4, #ARGV do stale[#stale + 1] = P .. 'wake:' .. ARGV[i] end
if stale[1] then call('UNLINK', unpack(stale)) end
return nil
