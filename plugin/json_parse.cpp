#include "plugin/json_parse.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>

namespace bindcast {

namespace {

// What Jansson makes of a text is at most about so many times its size ("[1,1,1"), and what it needs for any.
constexpr std::size_t kTimesOfText = 64, kAtLeast = 8192, kAtMost = 64 * 1024 * 1024;

// While a text is parsed, allocations that fail are served from here, so that the parser comes to its end. Its result
// is thrown away then, so nothing of this outlives it.
class Reserve {
 public:
  explicit Reserve(std::size_t size) : begin_(static_cast<std::byte*>(std::malloc(size))), size_(size) {
    if (begin_ == nullptr) throw std::bad_alloc();
    g_reserve = this;
  }
  ~Reserve() {
    g_reserve = nullptr;
    std::free(begin_);
  }
  Reserve(const Reserve&) = delete;
  Reserve& operator=(const Reserve&) = delete;

  [[nodiscard]] bool used() const noexcept { return used_ != 0; }

  static bool in_use() noexcept { return g_reserve != nullptr && g_reserve->used(); }
  static void* allocate(std::size_t size) noexcept {
    if (void* made = std::malloc(size); made != nullptr || g_reserve == nullptr) return made;
    return g_reserve->take(size);
  }
  static void release(void* memory) noexcept {
    if (g_reserve == nullptr || !g_reserve->holds(memory)) std::free(memory);
  }

 private:
  void* take(std::size_t size) noexcept {
    const std::size_t whole = (size + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
    if (whole < size || whole > size_ - used_) return nullptr;
    used_ += whole;
    return begin_ + used_ - whole;
  }
  [[nodiscard]] bool holds(const void* memory) const noexcept { return memory >= begin_ && memory < begin_ + size_; }

  static thread_local Reserve* g_reserve;
  std::byte* begin_;
  std::size_t size_;
  std::size_t used_ = 0;
};

thread_local Reserve* Reserve::g_reserve = nullptr;

}  // namespace

int nesting_depth(std::string_view text) noexcept {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

void with_json_reserve(std::size_t size, const std::function<void()>& work) {
  static std::once_flag once;  // whatever was allocated before comes from malloc, too
  std::call_once(once, [] { json_set_alloc_funcs(&Reserve::allocate, &Reserve::release); });
  const Reserve reserve(std::min(kTimesOfText * size + kAtLeast, kAtMost));
  work();
  if (reserve.used()) throw std::bad_alloc();
}

Json parse_json(std::string_view text, std::size_t flags, json_error_t& fault) {
  Json parsed;
  with_json_reserve(text.size(), [&] {
    parsed.reset(json_loadb(text.data(), text.size(), flags, &fault));
    if (Reserve::in_use()) parsed.reset();  // while the reserve is still there
  });
  return parsed;
}

}  // namespace bindcast
