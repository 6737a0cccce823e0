local function answer(r, index, t)
  local opener = t.blocked_by ~= '' and task(r, t.blocked_by)
  return {r.id, index, r.tenant, r.spec, t.attempts, opener and opener.result or '', t.kills, t.class}
end

local function serve(r, index, t, worker, token, lease)
  t.worker, t.token, t.attempts = worker, token, string.format('%d', t.attempts + 1)
  step(r, index, t, 'R')
  call('ZADD', P .. 'leases', now() + lease, token)
  call('HSET', P .. 'tokens', token, index .. ':' .. r.id)
  return answer(r, index, t)
end

-- A task that another worker failed, without a turn in its flow: it had one. Returns request, index, task, or nil.
local function from_elsewhere(class, worker)
  for _, member in ipairs(call('ZRANGE', P .. 'elsewhere:' .. class, '0', '7')) do
    local index, id = string.match(member, '^(%d+):(.*)$')
    local r = request(id, index)
    local t = r and task(r, index)
    if not t or t.state ~= 'D' or r.state ~= 'A' then
      call('ZREM', P .. 'elsewhere:' .. class, member)
    elseif t.worker ~= worker then
      undelay(r, index, t)
      return r, index, t
    end
  end
  if call('EXISTS', P .. 'elsewhere:' .. class) == 0 then call('ZREM', P .. 'live', '!' .. class) end
end

-- Moves the flow that was served, and its tenant, back; `rest`: the flow has more tasks. `flows` and `tenants` are the first two
-- of each with their scores: the flow's tenant, and the flow, are the first.
local function charge(r, class, t, rest, tenants, flows)
  local key, cost = P .. 'tenant:' .. r.tenant, tonumber(t.cost)
  local flow_end = flows[2] + r.priority * BAND + cost
  local tenant_end = tenants[2] + cost / tonumber(call('HGET', key, 'w') or 1)
  local left = {}  -- the last flow of a priority, and the last tenant, leave their time behind for those that come
  if rest then
    call('ZADD', P .. 'flows:' .. class .. ':' .. r.tenant, flows[2] + cost, r.id)
  else
    call('ZREM', P .. 'flows:' .. class .. ':' .. r.tenant, r.id)
    r.fields['vt:' .. class] = flow_end
    if not flows[4] or tonumber(flows[4]) >= BAND - r.priority * BAND then
      left = {'c:' .. class .. ':' .. r.priority, flow_end}
    end
  end
  if rest or flows[3] then
    call('ZADD', P .. 'tenants:' .. class, tenant_end, r.tenant)
  else
    left[#left + 1] = 'vt:' .. class
    left[#left + 1] = tenant_end
    call('ZREM', P .. 'tenants:' .. class, r.tenant)
    if not tenants[3] then call('HSET', P .. 'clock', class, tenant_end) end
  end
  if left[1] then call('HSET', key, unpack(left)) end
end

-- The same of the class' flows.
local function from_flows(class)
  while true do
    local tenants = call('ZRANGE', P .. 'tenants:' .. class, '0', '1', 'WITHSCORES')
    local tenant = tenants[1]
    if not tenant then
      call('ZREM', P .. 'live', class)
      call('UNLINK', P .. 'wake:' .. class)  -- wake-ups still waiting are stale
      return nil
    end
    local flows = call('ZRANGE', P .. 'flows:' .. class .. ':' .. tenant, '0', '1', 'WITHSCORES')
    local r = flows[1] and request(flows[1])
    local waiting = r and r.state == 'A' and ready(r, class) or {}
    local index = waiting[1]
    if not flows[1] then
      call('HSET', P .. 'clock', class, tenants[2])
      call('ZREM', P .. 'tenants:' .. class, tenant)
    elseif not index then
      call('ZREM', P .. 'flows:' .. class .. ':' .. tenant, flows[1])
    else
      if r.large then call('ZREM', P .. 'ready:' .. class .. ':' .. r.id, index) end
      local t = task(r, index)
      if t and t.state == 'Q' then
        charge(r, class, t, waiting[2], tenants, flows)
        return r, index, t
      end
    end
  end
end

-- Gives a worker the next task: of its classes that have any the one whose turn is longest ago, of that the tenant with the
-- least virtual time, of its flows the one with the least (higher priorities first), its first task. What other workers
-- failed comes before all. The same token again gives the same task.
-- `lease` in ms; then the classes. Returns {request, index, tenant, spec, attempt, result of the prepare task or "", kills, class},
-- or nil when nothing is ready.
local function lease_task(worker, token, lease, ...)
  local held = call('HGET', P .. 'tokens', token)
  if held then
    local index, id = string.match(held, '^(%d+):(.*)$')
    local r = request(id, index)
    local t = r and task(r, index)
    if t and owns(t, token) then return answer(r, index, t) end
  end
  local offered = {}
  for _, class in ipairs({...}) do offered[class] = true end
  local live = call('ZRANGE', P .. 'live', '0', '-1')
  for _, name in ipairs(live) do
    local failed = string.match(name, '^!(.*)')
    local r, index, t
    if failed and offered[failed] then
      r, index, t = from_elsewhere(failed, worker)
    elseif offered[name] then
      r, index, t = from_flows(name)
      if r and #live > 1 then go_last(name) end
    end
    if r then return serve(r, index, t, worker, token, tonumber(lease)) end
  end
  return nil
end
