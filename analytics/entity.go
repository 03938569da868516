package analytics

import "strings"

// identifiers gives the identifiers of each entity type a rule may map
// ("Microsoft Sentinel entity types reference"; the type names are the
// EntityMappingType of Microsoft.SecurityInsights 2025-09-01).
func identifiers(entityType string) []string {
	var s string
	switch entityType {
	case "Account":
		s = "Name FullName NTDomain DnsDomain UPNSuffix Sid AadTenantId AadUserId PUID IsDomainJoined DisplayName ObjectGuid"
	case "Host":
		s = "DnsDomain NTDomain HostName FullName NetBiosName AzureID OMSAgentID OSFamily OSVersion IsDomainJoined"
	case "IP":
		s = "Address AddressScope"
	case "Malware":
		s = "Name Category"
	case "File":
		s = "Directory Name"
	case "Process":
		s = "ProcessId CommandLine ElevationToken CreationTimeUtc"
	case "CloudApplication":
		s = "AppId Name InstanceName"
	case "DNS":
		s = "DomainName"
	case "AzureResource":
		s = "ResourceId"
	case "FileHash":
		s = "Algorithm Value"
	case "RegistryKey":
		s = "Hive Key"
	case "RegistryValue":
		s = "Name Value ValueType"
	case "SecurityGroup":
		s = "DistinguishedName SID ObjectGuid"
	case "URL":
		s = "Url"
	case "Mailbox":
		s = "MailboxPrimaryAddress DisplayName Upn ExternalDirectoryObjectId RiskLevel"
	case "MailCluster":
		s = "NetworkMessageIds CountByDeliveryStatus CountByThreatType CountByProtectionStatus Threats Query QueryTime MailCount " +
			"IsVolumeAnomaly Source ClusterSourceIdentifier ClusterSourceType ClusterQueryStartTime ClusterQueryEndTime ClusterGroup"
	case "MailMessage":
		s = "Recipient Urls Threats Sender P1Sender P1SenderDisplayName P1SenderDomain SenderIP P2Sender P2SenderDisplayName " +
			"P2SenderDomain ReceivedDate NetworkMessageId InternetMessageId Subject BodyFingerprintBin1 BodyFingerprintBin2 " +
			"BodyFingerprintBin3 BodyFingerprintBin4 BodyFingerprintBin5 AntispamDirection DeliveryAction DeliveryLocation Language ThreatDetectionMethods"
	case "SubmissionMail":
		s = "NetworkMessageId Timestamp Recipient Sender SenderIp Subject ReportType SubmissionId SubmissionDate Submitter"
	}
	return strings.Fields(s)
}

// entityTypes are the types of entity a rule may map.
func entityTypes() []string {
	return strings.Fields("Account AzureResource CloudApplication DNS File FileHash Host IP Mailbox MailCluster MailMessage " +
		"Malware Process RegistryKey RegistryValue SecurityGroup SubmissionMail URL")
}

// oldColumns are the columns that made entities before rules had entityMappings.
// Rules of that age are still shared.
func oldColumns() []EntityMapping {
	return []EntityMapping{
		{Type: "IP", Fields: []FieldMapping{{Identifier: "Address", Column: "IPCustomEntity"}}},
		{Type: "Account", Fields: []FieldMapping{{Identifier: "FullName", Column: "AccountCustomEntity"}}},
		{Type: "Host", Fields: []FieldMapping{{Identifier: "FullName", Column: "HostCustomEntity"}}},
		{Type: "URL", Fields: []FieldMapping{{Identifier: "Url", Column: "URLCustomEntity"}}},
	}
}

// tactics are the ATT&CK tactics a rule may name (AttackTactic of Microsoft.SecurityInsights).
func tactics() []string {
	return strings.Fields("Reconnaissance ResourceDevelopment InitialAccess Execution Persistence PrivilegeEscalation DefenseEvasion " +
		"CredentialAccess Discovery LateralMovement Collection Exfiltration CommandAndControl Impact PreAttack " +
		"ImpairProcessControl InhibitResponseFunction")
}

// alertProperties are the properties that alertDynamicProperties may set.
func alertProperties() []string {
	return strings.Fields("AlertLink ConfidenceLevel ConfidenceScore ExtendedLinks ProductName ProviderName ProductComponentName " +
		"RemediationSteps Techniques SubTechniques")
}
