#include "plugin/changes/policy_rule.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "events/dns_text.hpp"

namespace bindcast {

namespace {

std::vector<std::string_view> split_labels(std::string_view name) {
  std::vector<std::string_view> labels;
  while (!name.empty()) {
    const std::size_t dot = name.find('.');
    labels.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) break;
    name.remove_prefix(dot + 1);
  }
  return labels;
}

std::string joined(const std::vector<std::string_view>& parts, char separator) {
  std::string text;
  for (const std::string_view part : parts) {
    if (!text.empty()) text.push_back(separator);
    text += part;
  }
  return text;
}

// "24.0.2.0.192" is 192.0.2.0/24; "48.zz.db8.2001" is 2001:db8::/48. Anything else stays as it is written.
std::string prefix_text(std::string_view encoded) {
  std::vector<std::string_view> labels = split_labels(encoded);
  if (labels.size() < 2) return std::string(encoded);
  const std::string length(labels.front());
  labels.erase(labels.begin());
  std::ranges::reverse(labels);
  const bool ipv4 = labels.size() == 4 && std::ranges::all_of(labels, [](std::string_view label) {
                      int octet = -1;
                      const auto [end, fault] = std::from_chars(label.data(), label.data() + label.size(), octet);
                      return fault == std::errc() && end == label.data() + label.size() && octet >= 0 && octet <= 255;
                    });
  if (ipv4) return joined(labels, '.') + "/" + length;
  // "zz" stands for the longest run of zeroes: between two colons it is the "::" of RFC 5952.
  for (auto& label : labels)
    if (label == "zz") label = "";
  std::string text = joined(labels, ':');
  if (!labels.empty() && labels.front().empty()) text.insert(text.begin(), ':');
  if (!labels.empty() && labels.back().empty()) text.push_back(':');
  return text + "/" + length;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kTriggerZones{
    {{"rpz-client-ip", "client-ip"}, {"rpz-ip", "ip"}, {"rpz-nsip", "nsip"}, {"rpz-nsdname", "nsdname"}}};

}  // namespace

PolicyTrigger policy_trigger(std::string_view owner, std::string_view origin) {
  if (name_equal(owner, origin) || !name_under(owner, origin)) return {};
  std::string_view relative = owner;
  if (origin != "." && !origin.empty()) relative = owner.substr(0, owner.size() - origin.size() - 1);
  for (const auto& [zone, kind] : kTriggerZones) {
    if (!name_under(relative, zone) || relative.size() <= zone.size()) continue;
    const std::string_view subject = relative.substr(0, relative.size() - zone.size() - 1);
    return {kind, kind == "nsdname" ? std::string(subject) : prefix_text(subject)};
  }
  return {"qname", std::string(relative)};
}

std::optional<ClientIpRule> client_ip_rule(std::string_view owner) {
  constexpr std::string_view kZone = "rpz-client-ip";
  for (std::size_t dot = owner.find('.'); dot != std::string_view::npos; dot = owner.find('.', dot + 1)) {
    const std::string_view label = owner.substr(dot + 1, kZone.size());
    const std::string_view after = owner.substr(std::min(dot + 1 + kZone.size(), owner.size()));
    if (!name_equal(label, kZone) || !(after.empty() || after.front() == '.')) continue;
    ClientIpRule rule{.network = {}, .rest = owner.substr(dot)};
    if (parse_network(prefix_text(owner.substr(0, dot)), rule.network)) return rule;
    break;
  }
  return std::nullopt;
}

std::string owner_name(const ClientIpRule& rule) {
  std::string address = address_text(rule.network);
  std::vector<std::string_view> labels;
  if (rule.network.family == 4) {
    labels = split_labels(address);
  } else {
    // "2001:db8::" is "zz.db8.2001".
    const std::size_t gap = address.find("::");
    if (gap != std::string::npos) {
      const bool first = gap == 0, last = gap + 2 == address.size();
      address.replace(gap, 2, first && last ? "zz" : first ? "zz:" : last ? ":zz" : ":zz:");
    }
    std::ranges::replace(address, ':', '.');
    labels = split_labels(address);
  }
  std::ranges::reverse(labels);
  return std::to_string(rule.network.prefix) + "." + joined(labels, '.') + std::string(rule.rest);
}

std::string_view policy_action(std::string_view rtype, const std::vector<std::string>& rdata,
                               std::string_view owner_subject) {
  if (rtype != "CNAME" || rdata.size() != 1) return "local-data";
  const std::string& target = rdata.front();
  if (target == ".") return "nxdomain";
  if (target == "*.") return "nodata";
  if (name_equal(target, "rpz-drop")) return "drop";
  if (name_equal(target, "rpz-tcp-only")) return "tcp-only";
  // A CNAME to the name itself is the old way to write passthru.
  if (name_equal(target, "rpz-passthru") || name_equal(target, owner_subject)) return "passthru";
  return "cname";
}

}  // namespace bindcast
