#include "tests/unit/entity/hand_shell.hpp"

namespace rahat {

host_spawner hand_shell::spawner() {
  return [this](std::function<std::unique_ptr<host>(poster)> make) -> poster {
    auto c = std::make_shared<cell>();
    cells_.push_back(c);
    std::weak_ptr<cell> weak = c;
    c->entity = make([this, weak](mail m) {
      if (auto strong = weak.lock())
        put(strong, std::move(m));
    });
    return [this, c](mail m) { put(c, std::move(m)); };
  };
}

bool hand_shell::chance(int percent) {
  return percent > 0 && static_cast<int>(dice_() % 100) < percent;
}

void hand_shell::let_found() {
  keep_found = false;
  for (auto& [to, m] : std::exchange(found_, {}))
    if (auto strong = to.lock())
      put(strong, std::move(m));
}

void hand_shell::put(const std::shared_ptr<cell>& at, mail m) {
  auto& to = *at;
  if (keep_found && std::holds_alternative<mail_found>(m)) {
    found_.emplace_back(at, std::move(m));
    return;
  }
  if (!to.entity)
    return; // gone: the mail answers for itself
  auto* message = std::get_if<mail_told>(&m);
  auto* ack = std::get_if<mail_acknowledged>(&m);
  told += message != nullptr ? 1 : 0;
  acknowledged += ack != nullptr ? 1 : 0;
  if (watch)
    watch(m);
  if (message == nullptr && ack == nullptr) {
    to.box.push_back(std::move(m));
    return;
  }
  if (chance(lose))
    return;
  if (chance(repeat)) {
    if (message != nullptr)
      to.box.push_back(mail_told{message->source, message->n, message->body, {}});
    else
      to.box.push_back(*ack);
  }
  if (chance(shuffle) && !to.box.empty())
    to.box.insert(to.box.begin() + static_cast<long>(dice_() % to.box.size()), std::move(m));
  else
    to.box.push_back(std::move(m));
}

void hand_shell::run(cell& c) {
  if (!c.started) {
    c.started = true;
    c.entity->start();
    return;
  }
  auto next = std::move(c.box.front());
  c.box.pop_front();
  c.entity->handle(std::move(next));
  if (!c.entity->ended())
    return;
  auto gone = std::move(c.entity);
  auto left = std::exchange(c.box, {});
}

bool hand_shell::run_one() {
  std::erase_if(cells_, [](auto& c) { return !c->entity; });
  if (cells_.empty())
    return false;
  auto first = seed_ == 0 ? ++turn_ : dice_();
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    auto c = cells_[(first + i) % cells_.size()]; // a copy: running may add cells
    if (c->started && c->box.empty())
      continue;
    run(*c);
    return true;
  }
  return false;
}

std::size_t hand_shell::run_all(std::size_t bound) {
  std::size_t steps = 0;
  while (steps < bound && run_one())
    ++steps;
  return steps;
}

void hand_shell::vanish() {
  for (auto& c : std::exchange(cells_, {})) {
    auto gone = std::move(c->entity);
    auto left = std::exchange(c->box, {});
  }
}

std::size_t hand_shell::alive() const {
  std::size_t n = 0;
  for (auto& c : cells_)
    n += c->entity ? 1 : 0;
  return n;
}

std::size_t hand_shell::waiting() const {
  std::size_t n = 0;
  for (auto& c : cells_)
    n += c->box.size();
  return n;
}

} // namespace rahat
