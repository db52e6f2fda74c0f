package ansible

// fixed are the files that are the same for every cluster. What differs is in the inventory, so that roles and playbooks can be edited.
var fixed = map[string]string{
	"ansible.cfg": `# Written by proxmox-mcp; regeneration keeps your edits.
[defaults]
inventory = inventory/hosts.yml
roles_path = roles
host_key_checking = true
retry_files_enabled = false
interpreter_python = auto_silent
`,
	".ansible-lint": `---
profile: production
offline: true
strict: true
exclude_paths:
  - .cache/
mock_modules:
  - community.proxmox.proxmox_kvm
  - community.proxmox.proxmox
`,
	".yamllint": `---
extends: default
rules:
  braces:
    max-spaces-inside: 1
  comments:
    min-spaces-from-content: 1
  comments-indentation: false
  line-length: disable
  octal-values:
    forbid-implicit-octal: true
    forbid-explicit-octal: true
`,
	"requirements.yml": `# Only the dynamic inventory needs it; the playbooks use ansible.builtin alone, but for guests.yml where that is exported (code.parts: guests).
---
collections:
  - name: community.proxmox
    version: ">=2.0.0,<3.0.0"
`,
	"playbooks/site.yml": `# What every Linux guest gets that ran at the export and whose address is known. Run it with: ansible-playbook playbooks/site.yml
# It logs in and becomes root. An appliance without package manager or Python is taken out by name: status_running:&os_linux:&with_address:!NAME
---
- name: Linux guests that run and have an address
  hosts: status_running:&os_linux:&with_address
  become: true
  tasks:
    - name: Apply the baseline of guests
      ansible.builtin.import_role:
        name: guest_baseline
`,
	"playbooks/verify.yml":                   verifyPlaybook,
	"roles/guest_baseline/defaults/main.yml": baselineDefaults,
	"roles/guest_baseline/tasks/main.yml":    baselineTasks,
	"roles/guest_baseline/meta/main.yml":     baselineMeta,
	"roles/guest_baseline/README.md":         "# guest_baseline\n\nPackages that every Linux guest has. `guest_baseline_packages` lists them; virtual machines get the guest agent besides.\n",
}

const baselineDefaults = `# Packages that every Linux guest has.
---
guest_baseline_packages: []
guest_baseline_agent: true
`

const baselineTasks = `# A second run changes nothing.
---
- name: Packages of every guest are there
  ansible.builtin.package:
    name: "{{ guest_baseline_packages }}"
    state: present
  when: guest_baseline_packages | length > 0

- name: Virtual machines have the guest agent
  ansible.builtin.package:
    name: qemu-guest-agent
    state: present
  when:
    - guest_baseline_agent
    - pve_type == 'qemu'
`

const baselineMeta = `---
galaxy_info:
  role_name: guest_baseline
  namespace: local
  author: proxmox-mcp
  description: What every Linux guest of this cluster has
  license: MIT
  min_ansible_version: "2.14"
  platforms:
    - name: GenericLinux
      versions:
        - all
dependencies: []
`

const verifyPlaybook = `# Compares each guest's live configuration with what is declared, key by key, and changes nothing.
# Needs PROXMOX_VE_ENDPOINT and PROXMOX_VE_API_TOKEN in the environment; no guest is logged in to.
---
- name: Guests are as declared
  hosts: qemu:lxc:templates
  gather_facts: false
  tasks:
    - name: Read the live configuration
      ansible.builtin.uri:
        url: "{{ pve_endpoint }}/api2/json/nodes/{{ pve_node }}/{{ pve_type }}/{{ pve_vmid }}/config"
        headers:
          Authorization: "PVEAPIToken={{ lookup('ansible.builtin.env', 'PROXMOX_VE_API_TOKEN') }}"
        validate_certs: "{{ pve_validate_certs }}"
        status_code: [200, 401, 403, 500, 595, 596]
        timeout: 30
      register: pve_answer
      delegate_to: localhost
      changed_when: false
      no_log: true

    - name: The guest could be read
      ansible.builtin.assert:
        that: pve_answer.status == 200
        fail_msg: "{{ pve_type }} {{ pve_vmid }} cannot be read on node {{ pve_node }}: HTTP {{ pve_answer.status }}"
        quiet: true
      delegate_to: localhost

    - name: The configuration is as declared
      ansible.builtin.assert:
        that: pve_drift | trim == ''
        fail_msg: "{{ pve_type }} {{ pve_vmid }} differs in: {{ pve_drift | trim }}"
        quiet: true
      delegate_to: localhost
      when: pve_config is defined
      vars:
        pve_live: "{{ pve_answer.json.data }}"
        pve_apart: "{{ ['digest', 'lock'] + pve_unchecked }}"
        pve_drift: >-
          {% for key in (pve_config.keys() | list + pve_live.keys() | list) | unique | sort if key not in pve_apart %}
          {% if (pve_live[key] | default('') | string | trim) != (pve_config[key] | default('') | string | trim) %}
          {{ key }}
          {% endif %}
          {% endfor %}
`

const guestsPlaybook = `# Asks Proxmox VE that each virtual machine exists. It starts, stops and changes none: sizes belong to Terraform.
# Needs the collection of requirements.yml and PROXMOX_URL, PROXMOX_USER, PROXMOX_TOKEN_ID, PROXMOX_TOKEN_SECRET in the environment.
---
- name: Virtual machines exist
  hosts: qemu
  gather_facts: false
  tasks:
    - name: The virtual machine exists
      community.proxmox.proxmox_kvm:
        vmid: "{{ pve_vmid }}"
        node: "{{ pve_node }}"
        state: present
      delegate_to: localhost
`

// dynamic asks the cluster itself; the plugin wants a file name that ends in proxmox.yml.
const dynamic = `# The same by asking the cluster on each run: ansible-inventory -i inventory/dynamic.proxmox.yml --graph
# Needs the collection of requirements.yml and PROXMOX_URL, PROXMOX_USER, PROXMOX_TOKEN_ID, PROXMOX_TOKEN_SECRET in the environment.
---
plugin: community.proxmox.proxmox
want_facts: true
want_proxmox_nodes_ansible_host: true
keyed_groups:
  - key: proxmox_tags_parsed
    prefix: tag
compose:
  ansible_host: proxmox_agent_interfaces | default([]) | map(attribute='ip-addresses') | flatten | map('split', '/') | map('first') | reject('match', '127.|::1|fe80') | first
`
