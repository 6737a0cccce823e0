-- Who waits for a shared request, by key: {priority, deadline (0: none)}.
local function waiters(r)
  local found = {}
  for priority, deadline, name in string.gmatch(call('HGET', r.key, 'w') or '', '(%S+) (%S+) ([^\n]*)\n') do
    found[name] = {priority = tonumber(priority), deadline = tonumber(deadline)}
  end
  return found
end

local function waiter_lines(all)
  local lines = {}
  for name, waiter in pairs(all) do
    lines[#lines + 1] = string.format('%d %d %s\n', waiter.priority, waiter.deadline, name)
  end
  return table.concat(lines)
end

-- The idempotency key stands for the request no more.
local function forget_key(r, key)
  local name = P .. 'idempotency:' .. r.tenant .. ':' .. key
  if key ~= '' and call('GET', name) == r.id then call('UNLINK', name) end
end

-- Keeps `all` who wait for a shared request, after one has come or gone, and gives it what they want together: the highest priority, and
-- the latest deadline unless one of them has none.
local function agree(r, all)
  local priority, deadline
  call('HSET', r.key, 'w', waiter_lines(all))
  for _, waiter in pairs(all) do
    priority = math.max(priority or waiter.priority, waiter.priority)
    if waiter.deadline == 0 or deadline == 0 then
      deadline = 0
    else
      deadline = math.max(deadline or 0, waiter.deadline)
    end
  end
  if not priority then return end
  if deadline == 0 then
    call('HDEL', r.key, 'dl')
    call('ZREM', P .. 'deadlines', r.id)
  else
    call('HSET', r.key, 'dl', deadline)
    call('ZADD', P .. 'deadlines', deadline, r.id)
  end
  r.deadline = deadline
  if priority == r.priority then return end
  for class in string.gmatch(r.classes, '[^,]+') do
    local flows = P .. 'flows:' .. class .. ':' .. r.tenant
    local score = tonumber(call('ZSCORE', flows, r.id) or nil)
    if score then
      local tenant, time = P .. 'tenant:' .. r.tenant, score + r.priority * BAND
      leave_time(r.tenant, class, r.priority, time)
      call('ZADD', flows, math.max(flow_time(flows, tenant, class, priority), time) - priority * BAND, r.id)
    end
  end
  r.priority, r.changed = priority, true
end
