package incident

import "slices"

// entityProperty tells which identifiers of which entity type a property of a
// condition means (AutomationRulePropertyConditionSupportedProperty of
// Microsoft.SecurityInsights 2025-09-01): the first that an entity has.
func entityProperty(name string) (kind string, identifiers []string, ok bool) {
	for _, p := range entityProperties() {
		if p[0] == name {
			return p[1], p[2:], true
		}
	}
	return "", nil, false
}

// entityProperties lists name, entity type and identifiers.
func entityProperties() [][]string {
	return [][]string{
		{"AccountAadTenantId", "Account", "AadTenantId"},
		{"AccountAadUserId", "Account", "AadUserId"},
		{"AccountName", "Account", "Name", "FullName", "DisplayName"},
		{"AccountNTDomain", "Account", "NTDomain"},
		{"AccountPUID", "Account", "PUID"},
		{"AccountSid", "Account", "Sid"},
		{"AccountObjectGuid", "Account", "ObjectGuid"},
		{"AccountUPNSuffix", "Account", "UPNSuffix"},
		{"AzureResourceResourceId", "AzureResource", "ResourceId"},
		{"CloudApplicationAppId", "CloudApplication", "AppId"},
		{"CloudApplicationAppName", "CloudApplication", "Name"},
		{"DNSDomainName", "DNS", "DomainName"},
		{"FileDirectory", "File", "Directory"},
		{"FileName", "File", "Name"},
		{"FileHashValue", "FileHash", "Value"},
		{"HostAzureID", "Host", "AzureID"},
		{"HostName", "Host", "HostName", "FullName"},
		{"HostNetBiosName", "Host", "NetBiosName"},
		{"HostNTDomain", "Host", "NTDomain"},
		{"HostOSVersion", "Host", "OSVersion"},
		{"IPAddress", "IP", "Address"},
		{"MailboxDisplayName", "Mailbox", "DisplayName"},
		{"MailboxPrimaryAddress", "Mailbox", "MailboxPrimaryAddress"},
		{"MailboxUPN", "Mailbox", "Upn"},
		{"MailMessageDeliveryAction", "MailMessage", "DeliveryAction"},
		{"MailMessageDeliveryLocation", "MailMessage", "DeliveryLocation"},
		{"MailMessageRecipient", "MailMessage", "Recipient"},
		{"MailMessageSenderIP", "MailMessage", "SenderIP"},
		{"MailMessageSubject", "MailMessage", "Subject"},
		{"MailMessageP1Sender", "MailMessage", "P1Sender"},
		{"MailMessageP2Sender", "MailMessage", "P2Sender"},
		{"MalwareCategory", "Malware", "Category"},
		{"MalwareName", "Malware", "Name"},
		{"ProcessCommandLine", "Process", "CommandLine"},
		{"ProcessId", "Process", "ProcessId"},
		{"RegistryKey", "RegistryKey", "Key"},
		{"RegistryValueData", "RegistryValue", "Value"},
		{"Url", "URL", "Url"},
	}
}

// properties are the names a Property condition may use.
func properties() []string {
	names := []string{"IncidentTitle", "IncidentDescription", "IncidentSeverity", "IncidentStatus", "IncidentOwner", "IncidentRelatedAnalyticRuleIds",
		"IncidentTactics", "IncidentLabel", "IncidentProviderName", "IncidentUpdatedBySource", "IncidentCustomDetailsKey", "IncidentCustomDetailsValue",
		"AlertProductNames", "AlertAnalyticRuleIds"}
	for _, p := range entityProperties() {
		names = append(names, p[0])
	}
	return slices.Clip(names)
}

func operators() []string {
	return []string{"Equals", "NotEquals", "Contains", "NotContains", "StartsWith", "NotStartsWith", "EndsWith", "NotEndsWith"}
}
